// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"io"
	"math/big"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tapped is one end of a connection whose writes are recorded.
type tapped struct {
	net.Conn
	dir int
	tap *tap
}

// tap records what both ends of a connection write, in order.
type tap struct {
	mu    sync.Mutex
	turns []turn
}

func (c tapped) Write(b []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.turns = append(c.tap.turns, turn{c.dir, string(b)})
	c.tap.mu.Unlock()
	return c.Conn.Write(b)
}

// tapPipe gives the two ends of a connection in memory.
func tapPipe() (client, server net.Conn, t *tap) {
	a, b := net.Pipe()
	t = &tap{}
	return tapped{a, FromClient, t}, tapped{b, FromServer, t}, t
}

// tlsTestCertificate makes a self-signed certificate; pad is added to its subject.
func tlsTestCertificate(t testing.TB, pad string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	name := pkix.Name{CommonName: "camera 7, hall", Organization: []string{"Example+Co", pad}, Country: []string{"DE"}}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: name, DNSNames: []string{"cam7.example", "cam7.lan"},
		NotBefore: time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), NotAfter: time.Date(2055, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tlsTalk records a handshake between real ends; a handshake that fails is recorded as far as it came.
func tlsTalk(t testing.TB, client, server *tls.Config) []turn {
	t.Helper()
	a, b, tap := tapPipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s := tls.Server(b, server)
		_ = s.Handshake()
		_ = s.Close()
	}()
	c := tls.Client(a, client)
	_ = c.Handshake()
	_, _ = io.Copy(io.Discard, c)
	_ = a.Close()
	<-done
	return tap.turns
}

func TestTLSHandshakes(t *testing.T) {
	cert := tlsTestCertificate(t, "")
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			turns := tlsTalk(t,
				&tls.Config{ServerName: "cam7.example", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}, MinVersion: version, MaxVersion: version},
				&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MinVersion: version, MaxVersion: version})
			facts := sameHoweverCut(t, Ports{Client: 50000, Server: 8443}, turns)
			if name := appOf(facts); name != "tls" {
				t.Errorf("application %q", name)
			}
			checkHello(t, factsOf[TLSClientHello](facts), version)
			answers, certs := factsOf[TLSServerHello](facts), factsOf[TLSCertificate](facts)
			if len(answers) != 1 || answers[0].Version != version || answers[0].LegacyVersion != min(version, tls.VersionTLS12) || answers[0].Cipher == 0 {
				t.Fatalf("server's hello %+v", answers)
			}
			if version == tls.VersionTLS13 {
				if len(certs) != 0 || answers[0].ALPN != "" {
					t.Errorf("read what is encrypted: %+v %+v", certs, answers[0])
				}
				return
			}
			if answers[0].ALPN != "http/1.1" {
				t.Errorf("ALPN %q", answers[0].ALPN)
			}
			if len(certs) != 1 {
				t.Fatalf("%d certificates", len(certs))
			}
			checkCertificate(t, &certs[0], leaf)
		})
	}
}

func checkHello(t *testing.T, hellos []TLSClientHello, version uint16) {
	t.Helper()
	if len(hellos) != 1 {
		t.Fatalf("%d hellos", len(hellos))
	}
	h := hellos[0]
	if h.SNI != "cam7.example" || !slices.Equal(h.ALPN, []string{"h2", "http/1.1"}) || h.Version != min(version, tls.VersionTLS12) ||
		h.RecordVersion != tls.VersionTLS10 || h.DTLS || h.QUIC || h.SSL2 || h.ECH {
		t.Errorf("hello %+v", h)
	}
	if len(h.Ciphers) == 0 || len(h.Groups) == 0 || !bytes.Equal(h.PointFormats, []byte{0}) || !slices.Contains(h.Extensions, 0) {
		t.Errorf("lists of hello %+v", h)
	}
	if version >= tls.VersionTLS12 && (len(h.SigAlgs) == 0 || !slices.Contains(h.SupportedVersions, version)) {
		t.Errorf("lists of hello %+v", h)
	}
}

func checkCertificate(t *testing.T, c *TLSCertificate, want *x509.Certificate) {
	t.Helper()
	sum := sha256.Sum256(want.Raw)
	if c.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("SHA256 %s", c.SHA256)
	}
	if c.Subject != want.Subject.ToRDNSequence().String() || c.Issuer != want.Issuer.ToRDNSequence().String() {
		t.Errorf("subject %q, issuer %q, want %q", c.Subject, c.Issuer, want.Subject.ToRDNSequence().String())
	}
	if !c.NotBefore.Equal(want.NotBefore) || !c.NotAfter.Equal(want.NotAfter) || !c.SelfSigned || !slices.Equal(c.DNSNames, want.DNSNames) {
		t.Errorf("certificate %+v", c)
	}
}

// tlsHelloOf gives the first record that a real client sends.
func tlsHelloOf(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	a, b := net.Pipe()
	go func() {
		_ = tls.Client(a, config).Handshake()
	}()
	buf := make([]byte, 1<<14)
	n, err := b.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	return buf[:n]
}

// tlsRecords wraps handshake bytes into records of at most size bytes.
func tlsRecords(handshake []byte, size int) []byte {
	var out []byte
	for part := range slices.Chunk(handshake, size) {
		out = append(out, tlsHandshake, 3, 1, byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	return out
}

func TestTLSHelloOverManyRecords(t *testing.T) {
	hello := tlsHelloOf(t, &tls.Config{ServerName: "nvr.example"})
	want := factsOf[TLSClientHello](play(t, Ports{}, []turn{client(string(hello))}, 0))
	for _, size := range []int{1, 4, 5, 100, 1000, 1 << 14} {
		cut := tlsRecords(hello[tlsRecordHead:], size)
		if len(cut) > 16<<10 {
			continue
		}
		var s tlsStream
		var facts []Fact
		s.feed(FromClient, cut, false, func(f Fact) { facts = append(facts, f) })
		if got := factsOf[TLSClientHello](facts); len(got) != 1 || !reflect.DeepEqual(got, want) {
			t.Errorf("records of %d bytes: %+v, want %+v", size, got, want)
		}
	}
}

// A chain that exceeds what is kept of a stream still shows its leaf.
func TestTLSLongChain(t *testing.T) {
	cert := tlsTestCertificate(t, "")
	for range 4 {
		cert.Certificate = append(cert.Certificate, tlsTestCertificate(t, strings.Repeat("x", 6000)).Certificate[0])
	}
	turns := tlsTalk(t, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}, &tls.Config{Certificates: []tls.Certificate{cert}})
	var head []byte
	for _, turn := range turns {
		if turn.dir == FromServer {
			head = append(head, turn.data...)
		}
	}
	const limit = 16 << 10
	if len(head) < limit {
		t.Fatalf("the server sent %d bytes", len(head))
	}
	var s tlsStream
	var facts []Fact
	sink := func(f Fact) { facts = append(facts, f) }
	if want := s.feed(FromServer, head[:1000], false, sink); want <= 1000 {
		t.Errorf("wants %d", want)
	}
	s.feed(FromServer, head[:limit], true, sink)
	sum := sha256.Sum256(cert.Certificate[0])
	certs := factsOf[TLSCertificate](facts)
	if len(certs) != 1 || certs[0].SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("certificates %+v", certs)
	}
}

func TestTLSAlerts(t *testing.T) {
	warning, fatal := "\x15\x03\x01\x00\x02\x01\x70", "\x15\x03\x01\x00\x02\x02\x28"
	answer := "\x02\x00\x00\x26\x03\x01" + strings.Repeat("r", 32) + "\x00\x00\x2f\x00"
	hello := string(tlsRecords([]byte(answer), 100))
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
		var s tlsStream
		n := 0
		want := s.feed(FromServer, []byte(c.stream), false, func(Fact) { n++ })
		if n != c.hellos || (want == 0) != c.ends {
			t.Errorf("%s: %d hellos, wants %d", c.name, n, want)
		}
	}
}

// ssl2Hello makes a client hello in the form of SSL 2.0.
func ssl2Hello(version uint16, specs ...uint32) string {
	body := []byte{ssl2ClientHello, byte(version >> 8), byte(version), 0, byte(3 * len(specs)), 0, 0, 0, 16}
	for _, s := range specs {
		body = append(body, byte(s>>16), byte(s>>8), byte(s))
	}
	body = append(body, "challenge-of-16b"...)
	return string(append([]byte{0x80, byte(len(body))}, body...))
}

func TestSSL2(t *testing.T) {
	facts := sameHoweverCut(t, Ports{}, []turn{client(ssl2Hello(0x0301, 0x2f, 0x010080, 0x35)), server("\x15\x03\x01\x00\x02\x02\x28")})
	h := factsOf[TLSClientHello](facts)
	if len(h) != 1 || !h[0].SSL2 || h[0].Version != 0x0301 || h[0].RecordVersion != 2 || !slices.Equal(h[0].Ciphers, []uint16{0x2f, 0x35}) {
		t.Errorf("hello %+v", h)
	}
	cert := tlsTestCertificate(t, "").Certificate[0]
	body := append([]byte{ssl2ServerHello, 0, 1, 0, 2, byte(len(cert) >> 8), byte(len(cert)), 0, 3, 0, 16}, cert...)
	body = append(body, "\x01\x00\x80connection-id-16"...)
	answer := append([]byte{0x80 | byte(len(body)>>8), byte(len(body))}, body...)
	facts = sameHoweverCut(t, Ports{}, []turn{client(ssl2Hello(2, 0x010080)), server(string(answer))})
	s, certs := factsOf[TLSServerHello](facts), factsOf[TLSCertificate](facts)
	if len(s) != 1 || !s[0].SSL2 || s[0].Version != 2 || len(certs) != 1 || certs[0].DNSNames[0] != "cam7.example" {
		t.Errorf("answer %+v, certificates %+v", s, certs)
	}
}

func TestTLSLooks(t *testing.T) {
	hello := string(tlsHelloOf(t, &tls.Config{ServerName: "x.example"}))
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
		{"SSL 2.0", ssl2Hello(2, 0x010080), true},
		{"SSL 2.0 form with TLS 1.2", ssl2Hello(0x0303, 0x2f), true},
		{"SSL 2.0 form with sums that are wrong", "\x80\x2f" + ssl2Hello(2, 1)[2:], false},
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n", false},
		{"nothing", "", false},
	} {
		if got := tlsLooks([]byte(c.head)); got != c.want {
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
		h := tlsParseClientHello([]byte(c.body), false)
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
	hello := tlsHelloOf(f, &tls.Config{ServerName: "x.example"})
	f.Add(hello, 3)
	f.Add(tlsRecords(hello[tlsRecordHead:], 20), 20)
	f.Add([]byte(ssl2Hello(0x0301, 0x2f)), 2)
	f.Add(tlsRecords(append([]byte{tlsCertificate, 0, 0, 6, 0, 0, 3, 0, 0, 0}, hello...), 30), 7)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		step = max(step&0xff, 1)
		for dir := range 2 {
			var s tlsStream
			want := 1
			for n := 0; n < len(data) && want > 0; n += step {
				if n < want {
					continue
				}
				want = s.feed(dir, data[:n], false, func(Fact) {})
				if want != 0 && want <= n {
					t.Fatalf("wants %d of %d bytes", want, n)
				}
			}
			s.feed(dir, data, true, func(Fact) {})
			tlsLooks(data)
		}
	})
}

func BenchmarkTLSClientHello(b *testing.B) {
	hello := tlsHelloOf(b, &tls.Config{ServerName: "cam7.example", NextProtos: []string{"h2", "http/1.1"}})
	b.ReportAllocs()
	for b.Loop() {
		var s tlsStream
		s.feed(FromClient, hello, false, func(Fact) {})
	}
}
