// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// canned is a connection that returns given bytes and discards what is written.
type canned struct {
	net.Conn
	r *bytes.Reader
}

func (c canned) Read(b []byte) (int, error)       { return c.r.Read(b) }
func (c canned) Write(b []byte) (int, error)      { return len(b), nil }
func (c canned) SetDeadline(time.Time) error      { return nil }
func (c canned) SetWriteDeadline(time.Time) error { return nil }
func (c canned) Close() error                     { return nil }

// half returns the stream of the direction whose key starts with an address.
func half(t *testing.T, n *Net, from string) []byte {
	t.Helper()
	for k, s := range streams(t, n) {
		if strings.HasPrefix(k, from+":") {
			return s
		}
	}
	t.Fatalf("nothing from %s", from)
	return nil
}

var errSeen = errors.New("seen enough")

// TestHellos lets crypto/tls parse the hellos as those of a real peer.
func TestClientHelloIsReadByCryptoTLS(t *testing.T) {
	for _, grease := range []bool{false, true} {
		n, _, srv, far := lab(1)
		n.DialTLS(monday, srv, far, 443, TLSClient{SNI: "a.example.com", ALPN: []string{"h2", "http/1.1"}, Grease: grease}, TLSServer{Version: 0x0304})
		var got *tls.ClientHelloInfo
		s := tls.Server(canned{r: bytes.NewReader(half(t, n, "10.20.10.17"))}, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			got = h
			return nil, errSeen
		}})
		if err := s.Handshake(); !errors.Is(err, errSeen) {
			t.Fatalf("handshake: %v", err)
		}
		if got.ServerName != "a.example.com" || !slices.Equal(got.SupportedProtos, []string{"h2", "http/1.1"}) ||
			!slices.Contains(got.SupportedVersions, tls.VersionTLS13) || !slices.Contains(got.CipherSuites, tls.TLS_AES_128_GCM_SHA256) ||
			!slices.Contains(got.SupportedCurves, tls.X25519) {
			t.Errorf("read as %+v", got)
		}
		if isGrease := got.CipherSuites[0]&0x0f0f == 0x0a0a; isGrease != grease {
			t.Errorf("first cipher %#x, grease %v", got.CipherSuites[0], grease)
		}
	}
}

func TestServerFlightIsReadByCryptoTLS(t *testing.T) {
	n, _, srv, far := lab(1)
	cert := n.Certificate("b.example.com", monday, time.Hour)
	n.DialTLS(monday, srv, far, 443, TLSClient{SNI: "b.example.com"}, TLSServer{Version: 0x0303, Cert: cert})
	var got [][]byte
	c := tls.Client(canned{r: bytes.NewReader(half(t, n, "203.0.113.66"))}, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			got = raw
			return errSeen
		}})
	if err := c.Handshake(); !errors.Is(err, errSeen) {
		t.Fatalf("handshake: %v", err)
	}
	if len(got) != 1 || !bytes.Equal(got[0], cert) {
		t.Errorf("%d certificates", len(got))
	}
}

func TestHTTPIsReadByNetHTTP(t *testing.T) {
	n, cam, _, far := lab(1)
	c := n.Dial(monday, far, cam, 80)
	c.HTTPDigest(ISAPIMove(30, 0, nil), "cam", "op", "pw", Response{Status: 200, Server: "App-webs/", Body: "<ok/>"})
	c.HTTP(PTZMove("0.5", "0", Basic("op", "pw")), Response{Status: 204}).Close()
	req, resp := bufio.NewReader(bytes.NewReader(half(t, n, "203.0.113.66"))), bufio.NewReader(bytes.NewReader(half(t, n, "10.20.30.11")))
	for i, want := range []struct {
		method, uri, auth string
		status            int
	}{{"PUT", "/ISAPI/PTZCtrl/channels/1/continuous", "", 401}, {"PUT", "/ISAPI/PTZCtrl/channels/1/continuous", "Digest ", 200}, {"POST", "/onvif/ptz_service", "Basic ", 204}} {
		q, err := http.ReadRequest(req)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := new(bytes.Buffer).ReadFrom(q.Body); err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(resp, q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := new(bytes.Buffer).ReadFrom(r.Body); err != nil {
			t.Fatal(err)
		}
		if q.Method != want.method || q.RequestURI != want.uri || !strings.HasPrefix(q.Header.Get("Authorization"), want.auth) || r.StatusCode != want.status {
			t.Errorf("exchange %d: %s %s %q, %d", i, q.Method, q.RequestURI, q.Header.Get("Authorization"), r.StatusCode)
		}
	}
}

// The example of RFC 2069 section 2.4, with the response of its erratum 749.
func TestDigestExample(t *testing.T) {
	got := Digest("Mufasa", "CircleOfLife", "testrealm@host.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093")("GET", "/dir/index.html")
	if !strings.Contains(got, `response="1949323746fe6a43ef61f9606e7febea"`) {
		t.Error(got)
	}
}

func TestUnansweredKeepsItsSequenceNumber(t *testing.T) {
	n, _, srv, far := lab(1)
	end := n.Unanswered(monday, srv, far, 4444, 3)
	fs := n.Frames()
	if len(fs) != 3 || end.Sub(monday) != 3*time.Second {
		t.Fatalf("%d SYNs in %s", len(fs), end.Sub(monday))
	}
	for _, f := range fs {
		if !bytes.Equal(f.Data[38:42], fs[0].Data[38:42]) || !bytes.Equal(f.Data[34:38], fs[0].Data[34:38]) {
			t.Error("ports or sequence number changed between the tries")
		}
	}
}
