// SPDX-License-Identifier: Apache-2.0

package tls_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

func TestTLSHandshakes(t *testing.T) {
	cert := dissecttest.Certificate(t, "")
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			turns := dissecttest.TLSHandshake(t,
				&tls.Config{ServerName: "cam7.example", InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}, MinVersion: version, MaxVersion: version},
				&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MinVersion: version, MaxVersion: version})
			facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 50000, Server: 8443}, turns)
			if name := dissecttest.AppOf(facts); name != "tls" {
				t.Errorf("application %q", name)
			}
			checkHello(t, dissecttest.FactsOf[dissect.TLSClientHello](facts), version)
			answers, certs := dissecttest.FactsOf[dissect.TLSServerHello](facts), dissecttest.FactsOf[dissect.TLSCertificate](facts)
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

func checkHello(t *testing.T, hellos []dissect.TLSClientHello, version uint16) {
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

func checkCertificate(t *testing.T, c *dissect.TLSCertificate, want *x509.Certificate) {
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

func TestSSL2(t *testing.T) {
	facts := dispatchtest.PlayCut(t, dissect.Ports{}, []turn{client(dissecttest.SSL2Hello(0x0301, 0x2f, 0x010080, 0x35)), server("\x15\x03\x01\x00\x02\x02\x28")})
	h := dissecttest.FactsOf[dissect.TLSClientHello](facts)
	if len(h) != 1 || !h[0].SSL2 || h[0].Version != 0x0301 || h[0].RecordVersion != 2 || !slices.Equal(h[0].Ciphers, []uint16{0x2f, 0x35}) {
		t.Errorf("hello %+v", h)
	}
	cert := dissecttest.Certificate(t, "").Certificate[0]
	body := append([]byte{4, 0, 1, 0, 2, byte(len(cert) >> 8), byte(len(cert)), 0, 3, 0, 16}, cert...)
	body = append(body, "\x01\x00\x80connection-id-16"...)
	answer := append([]byte{0x80 | byte(len(body)>>8), byte(len(body))}, body...)
	facts = dispatchtest.PlayCut(t, dissect.Ports{}, []turn{client(dissecttest.SSL2Hello(2, 0x010080)), server(string(answer))})
	s, certs := dissecttest.FactsOf[dissect.TLSServerHello](facts), dissecttest.FactsOf[dissect.TLSCertificate](facts)
	if len(s) != 1 || !s[0].SSL2 || s[0].Version != 2 || len(certs) != 1 || certs[0].DNSNames[0] != "cam7.example" {
		t.Errorf("answer %+v, certificates %+v", s, certs)
	}
}
