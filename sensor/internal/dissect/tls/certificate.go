// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/memo"
)

// Bounds on what is kept of a certificate: a hostile one may name thousands.
const (
	maxDNSNames   = 64
	maxRDNs       = 32
	maxExtensions = 128
)

const bmpString = cbasn1.Tag(30)

// leaves caches the certificates that were seen last: servers show everybody the same one.
var leaves memo.Table[dissect.TLSCertificate]

// emitLeaf reports the first certificate of a Certificate message before TLS 1.3 (RFC 5246 section 7.4.2), if it is
// complete.
func emitLeaf(body []byte, sink dissect.Sink) {
	r := parse.Reader{B: body}
	r.U24()
	if der := r.Vec24(); len(der) > 0 {
		sink(leaves.Of(der, func() *dissect.TLSCertificate { return parseCertificate(der) }))
	}
}

// parseCertificate reads the parts of an X.509 certificate (RFC 5280 section 4.1) that name its holder. Certificates of
// embedded devices break many rules (negative serial numbers, dates of the wrong type, unknown keys), so only the
// structure is read. Damage leaves the fields behind it empty; SHA256 is always set.
func parseCertificate(der []byte) *dissect.TLSCertificate {
	sum := sha256.Sum256(der)
	c := &dissect.TLSCertificate{SHA256: hex.EncodeToString(sum[:])}
	in := cryptobyte.String(der)
	var cert, tbs, serial cryptobyte.String
	versionTag := cbasn1.Tag(0).Constructed().ContextSpecific()
	if !in.ReadASN1(&cert, cbasn1.SEQUENCE) || !cert.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(versionTag) || !tbs.ReadASN1(&serial, cbasn1.INTEGER) ||
		!tbs.SkipASN1(cbasn1.SEQUENCE) {
		return c
	}
	var issuer, validity, subject cryptobyte.String
	if !tbs.ReadASN1(&issuer, cbasn1.SEQUENCE) {
		return c
	}
	c.Issuer = nameText(issuer)
	if !tbs.ReadASN1(&validity, cbasn1.SEQUENCE) {
		return c
	}
	c.NotBefore, c.NotAfter = asn1Time(&validity), asn1Time(&validity)
	if !tbs.ReadASN1(&subject, cbasn1.SEQUENCE) {
		return c
	}
	c.Subject = nameText(subject)
	c.SelfSigned = bytes.Equal(issuer, subject)
	c.DNSNames, c.MUDURL = extensions(tbs)
	return c
}

// asn1Time reads a UTCTime or a GeneralizedTime (RFC 5280 section 4.1.2.5). It returns the zero time if it is neither.
func asn1Time(s *cryptobyte.String) time.Time {
	var text cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&text, &tag) {
		return time.Time{}
	}
	layout := "20060102150405Z0700"
	if tag == cbasn1.UTCTime {
		layout = "060102150405Z0700"
		if len(text) < 12 || text[10] < '0' || text[10] > '9' {
			layout = "0601021504Z0700" // without seconds: DER forbids it, devices do it
		}
	}
	t, err := time.Parse(layout, string(text))
	if err != nil {
		return time.Time{}
	}
	if tag == cbasn1.UTCTime && t.Year() >= 2050 {
		t = t.AddDate(-100, 0, 0)
	}
	return t.UTC()
}

// nameText returns the RFC 2253 form of the contents of a Name.
func nameText(name cryptobyte.String) string {
	if text, ok := plainName(name); ok {
		return text
	}
	return anyName(name)
}

// anyName is nameText for names of any kind.
func anyName(name cryptobyte.String) string {
	var rdns pkix.RDNSequence
	for !name.Empty() && len(rdns) < maxRDNs {
		var set cryptobyte.String
		if !name.ReadASN1(&set, cbasn1.SET) {
			break
		}
		var rdn pkix.RelativeDistinguishedNameSET
		for !set.Empty() && len(rdn) < maxRDNs {
			attr, ok := attribute(&set)
			if !ok {
				break
			}
			rdn = append(rdn, attr)
		}
		if len(rdn) > 0 {
			rdns = append(rdns, rdn)
		}
	}
	return rdns.String()
}

func attribute(set *cryptobyte.String) (a pkix.AttributeTypeAndValue, ok bool) {
	var attr, value cryptobyte.String
	var tag cbasn1.Tag
	if !set.ReadASN1(&attr, cbasn1.SEQUENCE) || !attr.ReadASN1ObjectIdentifier((*asn1.ObjectIdentifier)(&a.Type)) ||
		!attr.ReadAnyASN1(&value, &tag) {
		return a, false
	}
	a.Value = asn1Text(value, tag)
	return a, true
}

// asn1Text converts an ASN.1 string to UTF-8. Invalid bytes become U+FFFD.
func asn1Text(b []byte, tag cbasn1.Tag) string {
	if tag == bmpString && len(b)%2 == 0 {
		return string(utf16.Decode(parse.Uint16s(b)))
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

const (
	oidAltNames = "\x55\x1d\x11"                     // 2.5.29.17
	oidMUDURL   = "\x2b\x06\x01\x05\x05\x07\x01\x19" // 1.3.6.1.5.5.7.1.25
	maxMUDURL   = 255
)

// extensions returns the DNS names of the subjectAltName extension (RFC 5280 section 4.2.1.6), and the MUD URL of a device (RFC 8520 section 11). tbs is
// what follows the subject.
func extensions(tbs cryptobyte.String) (names []string, mudURL string) {
	var list, exts cryptobyte.String
	var present bool
	tag := cbasn1.Tag(3).Constructed().ContextSpecific()
	if !tbs.SkipASN1(cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(cbasn1.Tag(1).ContextSpecific()) ||
		!tbs.SkipOptionalASN1(cbasn1.Tag(2).ContextSpecific()) ||
		!tbs.ReadOptionalASN1(&list, &present, tag) || !present || !list.ReadASN1(&exts, cbasn1.SEQUENCE) {
		return nil, ""
	}
	for i := 0; !exts.Empty() && i < maxExtensions; i++ {
		var ext, id, value cryptobyte.String
		if !exts.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) ||
			!ext.SkipOptionalASN1(cbasn1.BOOLEAN) || !ext.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return names, mudURL
		}
		switch string(id) {
		case oidAltNames:
			if names == nil {
				names = dnsNames(value)
			}
		case oidMUDURL:
			mudURL = ia5(value)
		}
	}
	return names, mudURL
}

// ia5 returns the text of an IA5String of a MUD URL, "" if it is something else.
func ia5(value cryptobyte.String) string {
	var text cryptobyte.String
	if !value.ReadASN1(&text, cbasn1.IA5String) || len(text) > maxMUDURL {
		return ""
	}
	return parse.CleanText(text, maxMUDURL)
}

func dnsNames(value cryptobyte.String) (names []string) {
	var list cryptobyte.String
	if !value.ReadASN1(&list, cbasn1.SEQUENCE) {
		return nil
	}
	for !list.Empty() && len(names) < maxDNSNames {
		var name cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1(&name, &tag) {
			break
		}
		if tag == cbasn1.Tag(2).ContextSpecific() && len(name) <= MaxName {
			names = append(names, strings.ToValidUTF8(string(name), "\uFFFD"))
		}
	}
	return names
}
