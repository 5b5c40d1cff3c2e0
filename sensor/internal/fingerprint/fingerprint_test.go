// SPDX-License-Identifier: Apache-2.0

package fingerprint

import (
	"crypto/md5"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
)

// chromeHello is the example of the JA4 specification, with GREASE put in everywhere.
func chromeHello() *dissect.TLSClientHello {
	return &dissect.TLSClientHello{
		RecordVersion: 0x0301, Version: 0x0303, SupportedVersions: []uint16{0x1a1a, 0x0304, 0x0303},
		Ciphers: []uint16{0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		Extensions: []uint16{0x3a3a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015,
			0x4a4a},
		Groups: []uint16{0x5a5a, 29, 23, 24}, PointFormats: []uint8{0},
		SigAlgs: []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
		ALPN:    []string{"h2", "http/1.1"}, SNI: "example.com",
	}
}

func TestJA4(t *testing.T) {
	const ciphers, extensions = "8daaf6152771", "e5627efa2ab1"
	for _, c := range []struct {
		name   string
		change func(h *dissect.TLSClientHello)
		want   string
	}{
		{"example of the specification", func(*dissect.TLSClientHello) {}, "t13d1516h2_" + ciphers + "_" + extensions},
		{"order of ciphers and extensions", func(h *dissect.TLSClientHello) { slices.Reverse(h.Ciphers); slices.Reverse(h.Extensions) }, "t13d1516h2_" + ciphers + "_" + extensions},
		{"QUIC", func(h *dissect.TLSClientHello) { h.QUIC = true }, "q13d1516h2_" + ciphers + "_" + extensions},
		{"DTLS 1.2", func(h *dissect.TLSClientHello) { h.DTLS, h.Version, h.SupportedVersions = true, 0xfefd, nil }, "dd2d1516h2_" + ciphers + "_" + extensions},
		{"DTLS 1.3", func(h *dissect.TLSClientHello) { h.DTLS, h.SupportedVersions = true, []uint16{0xfefc, 0xfefd} }, "dd3d1516h2_" + ciphers + "_" + extensions},
		{"DTLS 1.0", func(h *dissect.TLSClientHello) { h.DTLS, h.Version, h.SupportedVersions = true, 0xfeff, nil }, "dd1d1516h2_" + ciphers + "_" + extensions},
		{"draft of TLS 1.3", func(h *dissect.TLSClientHello) { h.SupportedVersions = []uint16{0x0303, 0x7f1c, 0x0301} }, "t00d1516h2_" + ciphers + "_" + extensions},
		{"versions upwards", func(h *dissect.TLSClientHello) { h.SupportedVersions = []uint16{0x0303, 0x0304, 0xfafa} }, "t13d1516h2_" + ciphers + "_" + extensions},
		{"only GREASE versions", func(h *dissect.TLSClientHello) { h.SupportedVersions = []uint16{0xfafa} }, "t12d1516h2_" + ciphers + "_" + extensions},
		{"legacy version", func(h *dissect.TLSClientHello) { h.SupportedVersions = nil }, "t12d1516h2_" + ciphers + "_" + extensions},
		{"SSL 3.0", func(h *dissect.TLSClientHello) { h.SupportedVersions, h.Version = nil, 0x0300 }, "ts3d1516h2_" + ciphers + "_" + extensions},
		{"unknown version", func(h *dissect.TLSClientHello) { h.SupportedVersions, h.Version = nil, 0x0909 }, "t00d1516h2_" + ciphers + "_" + extensions},
		{"no ALPN", func(h *dissect.TLSClientHello) { h.ALPN = nil }, "t13d151600_" + ciphers + "_" + extensions},
		{"empty ALPN", func(h *dissect.TLSClientHello) { h.ALPN = []string{""} }, "t13d151600_" + ciphers + "_" + extensions},
		{"ALPN of one character", func(h *dissect.TLSClientHello) { h.ALPN = []string{"q"} }, "t13d1516qq_" + ciphers + "_" + extensions},
		{"long ALPN", func(h *dissect.TLSClientHello) { h.ALPN = []string{"http/1.1"} }, "t13d1516h1_" + ciphers + "_" + extensions},
		{"ALPN of bytes", func(h *dissect.TLSClientHello) { h.ALPN = []string{"\xab\xcd"} }, "t13d1516ad_" + ciphers + "_" + extensions},
		{"ALPN of one byte", func(h *dissect.TLSClientHello) { h.ALPN = []string{"\xab"} }, "t13d1516ab_" + ciphers + "_" + extensions},
		{"ALPN that ends in a byte", func(h *dissect.TLSClientHello) { h.ALPN = []string{"0\xab"} }, "t13d15163b_" + ciphers + "_" + extensions},
		{"no ciphers", func(h *dissect.TLSClientHello) { h.Ciphers = nil }, "t13d0016h2_000000000000_" + extensions},
		{"no extensions", func(h *dissect.TLSClientHello) { h.Extensions, h.SigAlgs, h.ALPN = nil, nil, nil }, "t13i150000_" + ciphers + "_000000000000"},
		{"only extensions that the hash leaves out", func(h *dissect.TLSClientHello) { h.Extensions, h.SigAlgs = []uint16{0, 16}, nil }, "t13d1502h2_" + ciphers + "_000000000000"},
		// SHA-256 of "0005,0017", without an underscore behind it.
		{"no signature algorithms", func(h *dissect.TLSClientHello) { h.Extensions, h.SigAlgs = []uint16{0x17, 0x05}, nil }, "t13i1502h2_" + ciphers + "_b514ece70b5c"},
		{"SSL 2.0", func(h *dissect.TLSClientHello) {
			*h = dissect.TLSClientHello{SSL2: true, Version: 2}
		}, "ts2i000000_000000000000_000000000000"},
		{"more than 99 ciphers", func(h *dissect.TLSClientHello) {
			h.Ciphers = slices.Repeat(h.Ciphers, 40)
		}, "t13d9916h2_"},
		{"Google QUIC", func(h *dissect.TLSClientHello) { *h = dissect.TLSClientHello{QUIC: true, SNI: "x"} }, ""},
	} {
		h := chromeHello()
		c.change(h)
		if got := JA4(h); got != c.want && (c.name != "more than 99 ciphers" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if JA4(nil) != "" {
		t.Error("a fingerprint of nothing")
	}
}

func sum(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}

func TestJA3(t *testing.T) {
	h := chromeHello()
	want := sum("771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53," +
		"27-0-51-16-17513-23-45-13-5-35-18-43-65281-11-10-21,29-23-24,0")
	if got := JA3(h); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := JA3(&dissect.TLSClientHello{Version: 769, Ciphers: []uint16{4, 5}}); got != sum("769,4-5,,,") {
		t.Errorf("without extensions: %s", got)
	}
	if got := JA3(&dissect.TLSClientHello{Version: 769, Ciphers: []uint16{4}, PointFormats: []uint8{0, 1, 2}}); got != sum("769,4,,,0-1-2") {
		t.Errorf("point formats: %s", got)
	}
	if JA3(nil) != "" || JA3(&dissect.TLSClientHello{SSL2: true, Version: 2}) != "" || JA3(&dissect.TLSClientHello{QUIC: true, SNI: "x"}) != "" {
		t.Error("a fingerprint of what has none")
	}
}

func TestJA3S(t *testing.T) {
	h := &dissect.TLSServerHello{Version: 0x0304, LegacyVersion: 0x0303, Cipher: 0x1301, Extensions: []uint16{51, 43, 0x0a0a}}
	if got := JA3S(h); got != sum("771,4865,51-43") {
		t.Errorf("%s", got)
	}
	if got := JA3S(&dissect.TLSServerHello{LegacyVersion: 769, Cipher: 47}); got != sum("769,47,") {
		t.Errorf("without extensions: %s", got)
	}
	if JA3S(nil) != "" || JA3S(&dissect.TLSServerHello{SSL2: true}) != "" {
		t.Error("a fingerprint of what has none")
	}
}

func TestHASSH(t *testing.T) {
	k := &dissect.SSHKexInit{Kex: "k1,k2", HostKey: "h", EncC2S: "e1", EncS2C: "e2", MACC2S: "m1", MACS2C: "m2", CompressionC2S: "c1", CompressionS2C: "c2"}
	if got := HASSH(k); got != sum("k1,k2;e1;m1;c1") {
		t.Errorf("client: %s", got)
	}
	if got := HASSHServer(k); got != sum("k1,k2;e2;m2;c2") {
		t.Errorf("server: %s", got)
	}
	if HASSH(nil) != "" || HASSHServer(nil) != "" {
		t.Error("a fingerprint of nothing")
	}
}

// The facts of a session end up in one App, and an App that was shared does not change.
func TestAppWith(t *testing.T) {
	var none *App
	first := none.With(&dissect.AppID{Name: "tls"}).With(chromeHello())
	second := first.With(&dissect.TLSServerHello{LegacyVersion: 0x0303, Cipher: 0x1301}).
		With(&dissect.TLSCertificate{Subject: "CN=leaf"}).With(&dissect.TLSCertificate{Subject: "CN=later"})
	if first.ServerHello != nil || first.Cert != nil || first.Hello.JA3 == "" {
		t.Errorf("a shared value has changed: %+v", first)
	}
	if second.Name != "tls" || second.Hello.JA3 == "" || !strings.HasPrefix(second.Hello.JA4, "t13d1516h2_") || second.ServerHello.JA3S != sum("771,4865,") || second.Cert.Subject != "CN=leaf" || second.QUIC() {
		t.Errorf("%+v", second)
	}
	kex := func(server bool) *dissect.SSHKexInit { return &dissect.SSHKexInit{Server: server, Kex: "k"} }
	ssh := none.With(&dissect.SSHBanner{Line: "SSH-2.0-C"}).With(&dissect.SSHBanner{Server: true, Line: "SSH-2.0-S"}).With(kex(false)).With(kex(true)).
		With(&dissect.SSHAuth{Result: dissect.OutcomeFailure, Failures: 1}).With(&dissect.SSHAuth{Result: dissect.OutcomeSuccess, Failures: 1}).SSH
	if ssh.Client != "SSH-2.0-C" || ssh.Server != "SSH-2.0-S" || ssh.HASSH != sum("k;;;") || ssh.HASSHServer != ssh.HASSH || ssh.Auth.Result != dissect.OutcomeSuccess {
		t.Errorf("%+v", ssh)
	}
	quic := none.With(&dissect.AppID{Name: "quic"}).With(&dissect.QUICInitial{Version: 1}).With(&dissect.TLSClientHello{QUIC: true, SNI: "x"})
	if !quic.QUIC() || quic.Hello.SNI != "x" || quic.Hello.JA4 != "" {
		t.Errorf("%+v", quic)
	}
}

func BenchmarkJA4(b *testing.B) {
	h := chromeHello()
	b.ReportAllocs()
	for b.Loop() {
		JA4(h)
	}
}

func BenchmarkJA3(b *testing.B) {
	h := chromeHello()
	b.ReportAllocs()
	for b.Loop() {
		JA3(h)
	}
}

// TestCachedPrintsEqualComputedOnes compares them for hellos that differ in one detail, and in GREASE.
func TestCachedPrintsEqualComputedOnes(t *testing.T) {
	x := rand.New(rand.NewPCG(1, 2))
	values := []uint16{0, 5, 10, 16, 0x0a0a, 0x1a1a, 0xfafa, 0x0303, 0x0304, 0xfefd, 0x7f1c}
	list := func() (l []uint16) {
		for range x.IntN(3) {
			l = append(l, values[x.IntN(len(values))])
		}
		return l
	}
	for range 20000 {
		h := &dissect.TLSClientHello{QUIC: x.IntN(4) == 0, DTLS: x.IntN(4) == 0, SSL2: x.IntN(8) == 0, Version: values[x.IntN(len(values))], SupportedVersions: list(),
			Ciphers: list(), Extensions: list(), Groups: list(), SigAlgs: list(), PointFormats: [][]uint8{nil, {0}, {10, 10}}[x.IntN(3)],
			ALPN: [][]string{nil, {""}, {"h2"}, {"h2", "x"}, {"\xab"}}[x.IntN(5)]}
		if p := printsOf(h); p.ja3 != JA3(h) || p.ja4 != JA4(h) || p.npf != NPFClient(h) {
			t.Fatalf("%+v: %+v, want %s %s %s", h, p, JA3(h), JA4(h), NPFClient(h))
		}
		s := &dissect.TLSServerHello{SSL2: x.IntN(8) == 0, Version: values[x.IntN(len(values))], LegacyVersion: values[x.IntN(len(values))], Cipher: values[x.IntN(len(values))], Extensions: list()}
		if got, want := *serverHelloOf(s), (ServerHello{SSL2: s.SSL2, Version: s.Version, JA3S: JA3S(s), NPF: NPFServer(s)}); got != want {
			t.Fatalf("%+v: %+v, want %+v", s, got, want)
		}
	}
	h := chromeHello()
	printsOf(h)
	if n := testing.AllocsPerRun(100, func() { printsOf(h) }); n != 0 {
		t.Errorf("%v allocations for a hello that is known", n)
	}
}

func BenchmarkPrints(b *testing.B) {
	h := chromeHello()
	b.ReportAllocs()
	for b.Loop() {
		printsOf(h)
	}
}
