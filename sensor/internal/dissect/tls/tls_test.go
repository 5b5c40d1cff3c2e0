// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func TestTLSHelloOverManyRecords(t *testing.T) {
	hello := dissecttest.TLSHello(t, &tls.Config{ServerName: "nvr.example"})
	read := func(stream []byte) []dissect.TLSClientHello {
		var s Stream
		var facts []dissect.Fact
		s.Feed(dissect.FromClient, stream, false, func(f dissect.Fact) { facts = append(facts, f) })
		return dissecttest.FactsOf[dissect.TLSClientHello](facts)
	}
	want := read(hello)
	for _, size := range []int{1, 4, 5, 100, 1000, 1 << 14} {
		cut := dissecttest.TLSRecords(hello[5:], size)
		if len(cut) > 16<<10 {
			continue
		}
		if got := read(cut); len(got) != 1 || !reflect.DeepEqual(got, want) {
			t.Errorf("records of %d bytes: %+v, want %+v", size, got, want)
		}
	}
}

// TestLeafOfLongChain checks that the leaf of a chain longer than the head of a stream is read.
func TestLeafOfLongChain(t *testing.T) {
	cert := dissecttest.Certificate(t, "")
	for range 4 {
		cert.Certificate = append(cert.Certificate, dissecttest.Certificate(t, strings.Repeat("x", 6000)).Certificate[0])
	}
	turns := dissecttest.TLSHandshake(t, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}, &tls.Config{Certificates: []tls.Certificate{cert}})
	var head []byte
	for _, turn := range turns {
		if turn.Dir == dissect.FromServer {
			head = append(head, turn.Data...)
		}
	}
	const limit = 16 << 10
	if len(head) < limit {
		t.Fatalf("the server sent %d bytes", len(head))
	}
	var s Stream
	var facts []dissect.Fact
	sink := func(f dissect.Fact) { facts = append(facts, f) }
	if want := s.Feed(dissect.FromServer, head[:1000], false, sink); want <= 1000 {
		t.Errorf("wants %d", want)
	}
	s.Feed(dissect.FromServer, head[:limit], true, sink)
	sum := sha256.Sum256(cert.Certificate[0])
	certs := dissecttest.FactsOf[dissect.TLSCertificate](facts)
	if len(certs) != 1 || certs[0].SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("certificates %+v", certs)
	}
}

func TestTLSAlerts(t *testing.T) {
	warning, fatal := "\x15\x03\x01\x00\x02\x01\x70", "\x15\x03\x01\x00\x02\x02\x28"
	answer := "\x02\x00\x00\x26\x03\x01" + strings.Repeat("r", 32) + "\x00\x00\x2f\x00"
	hello := string(dissecttest.TLSRecords([]byte(answer), 100))
	for _, c := range []struct {
		name, stream string
		hellos       int
		ends         bool
	}{
		{"warning before the hello", warning + hello, 1, false},
		{"refused", fatal, 0, true},
		{"hello after the end", fatal + hello, 0, true},
		{"changes to encryption", hello + "\x14\x03\x01\x00\x01\x01" + hello, 1, true},
		{"application data first", "\x17\x03\x03\x00\x01x" + hello, 0, true},
		{"no record", hello + "GET / HTTP/1.1\r\n", 1, true},
	} {
		var s Stream
		n := 0
		want := s.Feed(dissect.FromServer, []byte(c.stream), false, func(dissect.Fact) { n++ })
		if n != c.hellos || (want == 0) != c.ends {
			t.Errorf("%s: %d hellos, wants %d", c.name, n, want)
		}
	}
}

func TestTLSRecognition(t *testing.T) {
	hello := string(dissecttest.TLSHello(t, &tls.Config{ServerName: "x.example"}))
	for _, c := range []struct {
		name, head string
		want       bool
	}{
		{"client's hello", hello, true},
		{"its first bytes", hello[:3], true},
		{"header alone", hello[:5], true},
		{"too few", hello[:2], false},
		{"alert", "\x15\x03\x01\x00\x02\x02\x28", true},
		{"encrypted alert", "\x15\x03\x03\x00\x1a\x00\x00\x00", true},
		{"alert of a wrong level", "\x15\x03\x01\x00\x02\x03\x28", false},
		{"application data", "\x17\x03\x03\x40\x00", true},
		{"change of cipher", "\x14\x03\x03\x00\x01\x01", true},
		{"change of cipher of a wrong size", "\x14\x03\x03\x00\x02\x01", false},
		{"record too long", "\x16\x03\x03\xff\xff", false},
		{"empty record", "\x16\x03\x03\x00\x00", false},
		{"major version 4", "\x16\x04\x00\x00\x10", false},
		{"handshake of an unknown type", "\x16\x03\x01\x00\x10\x63\x00\x00\x0c", false},
		{"handshake too long", "\x16\x03\x01\x00\x10\x01\x01\x00\x0c", false},
		{"SSL 2.0", dissecttest.SSL2Hello(2, 0x010080), true},
		{"SSL 2.0 form with TLS 1.2", dissecttest.SSL2Hello(0x0303, 0x2f), true},
		{"SSL 2.0 form with sums that are wrong", "\x80\x2f" + dissecttest.SSL2Hello(2, 1)[2:], false},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n", false},
		{"nothing", "", false},
	} {
		if got := IsStart([]byte(c.head)); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// Damaged extensions leave those before the damage; a hello without its ciphers is none.
func TestTLSDamagedHello(t *testing.T) {
	fixed := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + "\x00\x02\x13\x01" + "\x01\x00"
	for _, c := range []struct {
		name, body string
		none       bool
		extensions []uint16
		sni        string
	}{
		{name: "no extensions", body: fixed},
		{name: "empty block", body: fixed + "\x00\x00"},
		{name: "block longer than the hello", body: fixed + "\x00\x09\x00\x17\x00\x00"},
		{name: "second extension is cut", body: fixed + "\x00\x08\x00\x17\x00\x00\x00\x23\x00\x09", extensions: []uint16{0x17}},
		{name: "name is cut", body: fixed + "\x00\x09\x00\x00\x00\x05\x00\x20\x00\x00\x05", extensions: []uint16{0}},
		{name: "name of another type", body: fixed + "\x00\x0a\x00\x00\x00\x06\x00\x04\x01\x00\x01x", extensions: []uint16{0}},
		{name: "capital letters", body: fixed + "\x00\x0c\x00\x00\x00\x08\x00\x06\x00\x00\x03CaM", extensions: []uint16{0}, sni: "cam"},
		{name: "two names", body: fixed + "\x00\x0e\x00\x00\x00\x0a\x00\x08\x00\x00\x01a\x00\x00\x01b", extensions: []uint16{0}, sni: "a"},
		{name: "no ciphers", body: fixed[:36], none: true},
		{name: "nothing", body: "", none: true},
	} {
		h := ParseClientHello([]byte(c.body), false)
		if (h == nil) != c.none {
			t.Errorf("%s: %+v", c.name, h)
			continue
		}
		if h != nil && (!slices.Equal(h.Extensions, c.extensions) || h.SNI != c.sni || !slices.Equal(h.Ciphers, []uint16{0x1301})) {
			t.Errorf("%s: %+v", c.name, h)
		}
	}
}

func FuzzTLSStream(f *testing.F) {
	hello := dissecttest.TLSHello(f, &tls.Config{ServerName: "x.example"})
	f.Add(hello, 3)
	f.Add(dissecttest.TLSRecords(hello[5:], 20), 20)
	f.Add([]byte(dissecttest.SSL2Hello(0x0301, 0x2f)), 2)
	f.Add(dissecttest.TLSRecords(append([]byte{messageCertificate, 0, 0, 6, 0, 0, 3, 0, 0, 0}, hello...), 30), 7)
	mutate.Fuzz(f, func(t *testing.T, data []byte, step int) {
		step = max(step&0xff, 1)
		for dir := range 2 {
			var s Stream
			want := 1
			for n := 0; n < len(data) && want > 0; n += step {
				if n < want {
					continue
				}
				want = s.Feed(dir, data[:n], false, func(dissect.Fact) {})
				if want != 0 && want <= n {
					t.Fatalf("wants %d of %d bytes", want, n)
				}
			}
			s.Feed(dir, data, true, func(dissect.Fact) {})
			IsStart(data)
		}
	})
}

func BenchmarkTLSClientHello(b *testing.B) {
	hello := dissecttest.TLSHello(b, &tls.Config{ServerName: "cam7.example", NextProtos: []string{"h2", "http/1.1"}})
	b.ReportAllocs()
	for b.Loop() {
		var s Stream
		s.Feed(dissect.FromClient, hello, false, func(dissect.Fact) {})
	}
}
