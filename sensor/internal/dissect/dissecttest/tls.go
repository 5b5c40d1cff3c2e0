// SPDX-License-Identifier: Apache-2.0

package dissecttest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stillwatch/sensor/internal/dissect"
)

// TLSHelloStart is the shortest beginning of a TLS stream that is recognized.
const TLSHelloStart = "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"

// Datagram is a datagram with its direction.
type Datagram struct {
	Dir  int
	Data []byte
}

// ServerHello is a record with a server's hello and nothing else.
var ServerHello = []byte("\x16\x03\x03\x00\x2c\x02\x00\x00\x28\x03\x03" + strings.Repeat("r", 32) + "\x00\xc0\x2f\x00\x00\x00")

// QUICHello returns the hello of a real QUIC client.
func QUICHello(t testing.TB) []byte {
	t.Helper()
	c := tls.QUICClient(&tls.QUICConfig{TLSConfig: &tls.Config{ServerName: "cam7.example", NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}})
	c.SetTransportParameters([]byte{1, 1, 0})
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return bytes.Clone(c.NextEvent().Data)
}

// TapLoopback is tapPipe over the loopback interface: both ends of SSH write before they read, which needs a buffer.
func TapLoopback(t testing.TB) (client, server net.Conn, record *tap) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	record = &tap{}
	return tapped{a, dissect.FromClient, record}, tapped{b, dissect.FromServer, record}, record
}

// tapped is one end of a connection whose writes are recorded.
type tapped struct {
	net.Conn
	dir int
	tap *tap
}

// tap records what both ends of a connection write, in order.
type tap struct {
	mu    sync.Mutex
	Turns []Turn
}

func (c tapped) Write(b []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.Turns = append(c.tap.Turns, Turn{c.dir, string(b)})
	c.tap.mu.Unlock()
	return c.Conn.Write(b)
}

// tapPipe returns the two ends of a connection in memory.
func tapPipe() (client, server net.Conn, t *tap) {
	a, b := net.Pipe()
	t = &tap{}
	return tapped{a, dissect.FromClient, t}, tapped{b, dissect.FromServer, t}, t
}

// Certificate makes a self-signed certificate; pad is added to its subject.
func Certificate(t testing.TB, pad string) tls.Certificate {
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

// TLSHandshake records a handshake between real endpoints. A handshake that fails is recorded as far as it got.
func TLSHandshake(t testing.TB, client, server *tls.Config) []Turn {
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
	return tap.Turns
}

// TLSHello returns the first record that a real client sends.
func TLSHello(t testing.TB, config *tls.Config) []byte {
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

// TLSRecords wraps handshake bytes into records of at most size bytes.
func TLSRecords(handshake []byte, size int) []byte {
	var out []byte
	for part := range slices.Chunk(handshake, size) {
		out = append(out, 22, 3, 1, byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	return out
}

// SSL2Hello makes a client hello in the form of SSL 2.0.
func SSL2Hello(version uint16, specs ...uint32) string {
	body := []byte{1, byte(version >> 8), byte(version), 0, byte(3 * len(specs)), 0, 0, 0, 16}
	for _, s := range specs {
		body = append(body, byte(s>>16), byte(s>>8), byte(s))
	}
	body = append(body, "challenge-of-16b"...)
	return string(append([]byte{0x80, byte(len(body))}, body...))
}
