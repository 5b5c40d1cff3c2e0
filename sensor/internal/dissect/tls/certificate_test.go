// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"bytes"
	"encoding/asn1"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// certParts are the parts of a certificate as a vendor may have got them wrong.
type certParts struct {
	serial                      string
	nameTag                     cbasn1.Tag
	name                        string
	timeTag                     cbasn1.Tag
	notBefore, notAfter, issuer string
	names                       int
	mud                         string // "": no such extension
}

// der builds the certificate; its key and signature are empty.
func (p certParts) der() []byte {
	var b cryptobyte.Builder
	sequence := func(b *cryptobyte.Builder, f func(b *cryptobyte.Builder)) { b.AddASN1(cbasn1.SEQUENCE, f) }
	text := func(b *cryptobyte.Builder, tag cbasn1.Tag, s string) {
		b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(s)) })
	}
	name := func(b *cryptobyte.Builder, tag cbasn1.Tag, s string) {
		sequence(b, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
				sequence(b, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 5, 4, 3})
					text(b, tag, s)
				})
			})
		})
	}
	alternatives := func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			text(b, cbasn1.Tag(7).ContextSpecific(), "\x0a\x00\x00\x01")
			for range p.names {
				text(b, cbasn1.Tag(2).ContextSpecific(), "cam.lan")
			}
		})
	}
	extensions := func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			sequence(b, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 5, 29, 19})
				b.AddASN1Boolean(true)
				text(b, cbasn1.OCTET_STRING, "\x30\x00")
			})
			sequence(b, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 5, 29, 17})
				b.AddASN1(cbasn1.OCTET_STRING, alternatives)
			})
			if p.mud != "" {
				sequence(b, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 25})
					text(b, cbasn1.OCTET_STRING, p.mud)
				})
			}
		})
	}
	sequence(&b, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			text(b, cbasn1.INTEGER, p.serial)
			sequence(b, func(*cryptobyte.Builder) {})
			name(b, cbasn1.UTF8String, p.issuer)
			sequence(b, func(b *cryptobyte.Builder) { text(b, p.timeTag, p.notBefore); text(b, p.timeTag, p.notAfter) })
			name(b, p.nameTag, p.name)
			sequence(b, func(*cryptobyte.Builder) {})
			b.AddASN1(cbasn1.Tag(3).Constructed().ContextSpecific(), extensions)
		})
	})
	return b.BytesOrPanic()
}

// TestCertificatesOfDevices checks certificates that crypto/x509 refuses and devices present.
func TestCertificatesOfDevices(t *testing.T) {
	good := certParts{serial: "\x01", nameTag: cbasn1.UTF8String, name: "cam", timeTag: cbasn1.UTCTime, notBefore: "700101000000Z", notAfter: "491231235959Z", issuer: "cam", names: 1}
	start, end := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2049, 12, 31, 23, 59, 59, 0, time.UTC)
	for _, c := range []struct {
		name       string
		change     func(p *certParts)
		subject    string
		start, end time.Time
		self       bool
		names      int
	}{
		{"in order", func(*certParts) {}, "CN=cam", start, end, true, 1},
		{"negative serial number", func(p *certParts) { p.serial = "\xff" }, "CN=cam", start, end, true, 1},
		{"empty serial number", func(p *certParts) { p.serial = "" }, "CN=cam", start, end, true, 1},
		{"generalized time", func(p *certParts) {
			p.timeTag, p.notBefore, p.notAfter = cbasn1.GeneralizedTime, "19700101000000Z", "99991231235959Z"
		}, "CN=cam", start, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), true, 1},
		{"no seconds, and a zone", func(p *certParts) { p.notBefore, p.notAfter = "7001010000Z", "500101005959+0100" }, "CN=cam", start,
			time.Date(1949, 12, 31, 23, 59, 59, 0, time.UTC), true, 1},
		{"no time", func(p *certParts) { p.notBefore = "never"; p.notAfter = "" }, "CN=cam", time.Time{}, time.Time{}, true, 1},
		{"16-bit characters", func(p *certParts) { p.nameTag, p.name = 30, "\x00c\x00\xe4" }, "CN=cä", start, end, false, 1},
		{"bytes that are no text", func(p *certParts) { p.name = "c\xff" }, "CN=c\uFFFD", start, end, false, 1},
		{"signed by another", func(p *certParts) { p.issuer = "maker" }, "CN=cam", start, end, false, 1},
		{"thousands of names", func(p *certParts) { p.names = 5000 }, "CN=cam", start, end, true, maxDNSNames},
	} {
		p := good
		c.change(&p)
		got := parseCertificate(p.der())
		if got.Subject != c.subject || !got.NotBefore.Equal(c.start) || !got.NotAfter.Equal(c.end) || got.SelfSigned != c.self || len(got.DNSNames) != c.names || len(got.SHA256) != 64 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// TestMUDURLOfACertificate reads the extension id-pe-mud-url, an IA5String.
func TestMUDURLOfACertificate(t *testing.T) {
	ia5 := func(s string) string { return "\x16" + string(rune(len(s))) + s }
	for value, want := range map[string]string{
		ia5("https://v.example/cam.json"): "https://v.example/cam.json",
		"\x0c\x03utf":                     "", // a UTF8String
		"\x16\x7fcut":                     "",
		"":                                "",
	} {
		p := certParts{serial: "\x01", nameTag: cbasn1.UTF8String, name: "cam", timeTag: cbasn1.UTCTime, notBefore: "700101000000Z", notAfter: "491231235959Z", names: 2, mud: value}
		if c := parseCertificate(p.der()); c.MUDURL != want || len(c.DNSNames) != 2 {
			t.Errorf("%q: %q, %q", value, c.MUDURL, c.DNSNames)
		}
	}
}

// TestCutCertificates checks that the digest is set however much is cut off.
func TestCutCertificates(t *testing.T) {
	der := dissecttest.Certificate(t, "").Certificate[0]
	for n := range der {
		if c := parseCertificate(der[:n]); len(c.SHA256) != 64 || c.Subject != "" {
			t.Fatalf("%d bytes: %+v", n, c)
		}
	}
	deep := bytes.Repeat([]byte{0x30, 0x80}, 5000)
	if c := parseCertificate(deep); c.Subject != "" {
		t.Errorf("%+v", c)
	}
}

func FuzzCertificate(f *testing.F) {
	f.Add(dissecttest.Certificate(f, "x").Certificate[0])
	f.Add(certParts{serial: "\x01", mud: "\x16\x0fhttps://a.example", names: 1}.der())
	f.Add(certParts{serial: "\xff", nameTag: 30, name: "\x00c", timeTag: cbasn1.GeneralizedTime, notBefore: "19700101000000Z", names: 3}.der())
	mutate.Fuzz(f, func(t *testing.T, der []byte) {
		c := parseCertificate(der)
		if len(c.DNSNames) > maxDNSNames || slices.Contains(c.DNSNames, strings.Repeat("x", 256)) {
			t.Fatal("bounds exceeded")
		}
	})
}
