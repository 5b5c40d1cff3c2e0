// SPDX-License-Identifier: Apache-2.0

package dissect

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

	"stillwatch/sensor/internal/memo"
)

// Bounds on what is kept of a certificate: a hostile one may name thousands.
const (
	tlsMaxDNSNames   = 64
	tlsMaxRDNs       = 32
	tlsMaxExtensions = 128
)

const tlsBMPString = cbasn1.Tag(30)

// tlsLeaves are the certificates that were seen last: servers show the same one to everybody.
var tlsLeaves memo.Table[TLSCertificate]

// tlsEmitLeaf gives the first certificate of a Certificate message before TLS 1.3 (RFC 5246 section 7.4.2), if all of it
// is there.
func tlsEmitLeaf(body []byte, sink Sink) {
	r := tlsReader{b: body}
	r.u24()
	if der := r.vec24(); len(der) > 0 {
		sink(tlsLeaves.Of(der, func() *TLSCertificate { return tlsParseCertificate(der) }))
	}
}

// tlsParseCertificate reads the parts of an X.509 certificate (RFC 5280 section 4.1) that name its holder. Certificates of embedded
// devices break many rules (negative serial numbers, dates of the wrong type, unknown keys), so only the frame is
// read, and damage leaves the fields behind it empty; SHA256 is there always.
func tlsParseCertificate(der []byte) *TLSCertificate {
	sum := sha256.Sum256(der)
	c := &TLSCertificate{SHA256: hex.EncodeToString(sum[:])}
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
	c.Issuer = tlsName(issuer)
	if !tbs.ReadASN1(&validity, cbasn1.SEQUENCE) {
		return c
	}
	c.NotBefore, c.NotAfter = tlsTime(&validity), tlsTime(&validity)
	if !tbs.ReadASN1(&subject, cbasn1.SEQUENCE) {
		return c
	}
	c.Subject = tlsName(subject)
	c.SelfSigned = bytes.Equal(issuer, subject)
	c.DNSNames = tlsAltNames(tbs)
	return c
}

// tlsTime reads a UTCTime or a GeneralizedTime (RFC 5280 section 4.1.2.5); the zero time if it is neither.
func tlsTime(s *cryptobyte.String) time.Time {
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

// tlsName gives the RFC 2253 form of the contents of a Name.
func tlsName(name cryptobyte.String) string {
	if text, ok := tlsPlainName(name); ok {
		return text
	}
	return tlsAnyName(name)
}

// tlsAnyName is tlsName for names of any kind.
func tlsAnyName(name cryptobyte.String) string {
	var rdns pkix.RDNSequence
	for !name.Empty() && len(rdns) < tlsMaxRDNs {
		var set cryptobyte.String
		if !name.ReadASN1(&set, cbasn1.SET) {
			break
		}
		var rdn pkix.RelativeDistinguishedNameSET
		for !set.Empty() && len(rdn) < tlsMaxRDNs {
			attr, ok := tlsAttribute(&set)
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

func tlsAttribute(set *cryptobyte.String) (a pkix.AttributeTypeAndValue, ok bool) {
	var attr, value cryptobyte.String
	var tag cbasn1.Tag
	if !set.ReadASN1(&attr, cbasn1.SEQUENCE) || !attr.ReadASN1ObjectIdentifier((*asn1.ObjectIdentifier)(&a.Type)) ||
		!attr.ReadAnyASN1(&value, &tag) {
		return a, false
	}
	a.Value = tlsText(value, tag)
	return a, true
}

// tlsText makes UTF-8 of an ASN.1 string; bytes that are none become U+FFFD.
func tlsText(b []byte, tag cbasn1.Tag) string {
	if tag == tlsBMPString && len(b)%2 == 0 {
		return string(utf16.Decode(tlsUint16s(b)))
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

// tlsAltNames gives the DNS names of the subjectAltName extension (RFC 5280 section 4.2.1.6). tbs is what follows the subject.
func tlsAltNames(tbs cryptobyte.String) []string {
	var list, exts cryptobyte.String
	var present bool
	tag := cbasn1.Tag(3).Constructed().ContextSpecific()
	if !tbs.SkipASN1(cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(cbasn1.Tag(1).ContextSpecific()) ||
		!tbs.SkipOptionalASN1(cbasn1.Tag(2).ContextSpecific()) ||
		!tbs.ReadOptionalASN1(&list, &present, tag) || !present || !list.ReadASN1(&exts, cbasn1.SEQUENCE) {
		return nil
	}
	for i := 0; !exts.Empty() && i < tlsMaxExtensions; i++ {
		var ext, id, value cryptobyte.String
		if !exts.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) ||
			!ext.SkipOptionalASN1(cbasn1.BOOLEAN) || !ext.ReadASN1(&value, cbasn1.OCTET_STRING) {
			return nil
		}
		if string(id) == "\x55\x1d\x11" {
			return tlsDNSNames(value)
		}
	}
	return nil
}

func tlsDNSNames(value cryptobyte.String) (names []string) {
	var list cryptobyte.String
	if !value.ReadASN1(&list, cbasn1.SEQUENCE) {
		return nil
	}
	for !list.Empty() && len(names) < tlsMaxDNSNames {
		var name cryptobyte.String
		var tag cbasn1.Tag
		if !list.ReadAnyASN1(&name, &tag) {
			break
		}
		if tag == cbasn1.Tag(2).ContextSpecific() && len(name) <= tlsMaxName {
			names = append(names, strings.ToValidUTF8(string(name), "\uFFFD"))
		}
	}
	return names
}
