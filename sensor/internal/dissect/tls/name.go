// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"stillwatch/sensor/internal/dissect/parse"
)

// plainName is nameText for the names of most certificates: one attribute in each set, of a common type, in plain ASCII
// that needs no escape. ok is false for any other name, also for a damaged one.
func plainName(name cryptobyte.String) (text string, ok bool) {
	var buf [256]byte
	at := len(buf) // RFC 2253 section 2.1: the last comes first, so the text is built from its end
	for n := 0; !name.Empty(); n++ {
		var set, attr, id, value cryptobyte.String
		var tag cbasn1.Tag
		if n == maxRDNs || !name.ReadASN1(&set, cbasn1.SET) || !set.ReadASN1(&attr, cbasn1.SEQUENCE) || !set.Empty() ||
			!attr.ReadASN1(&id, cbasn1.OBJECT_IDENTIFIER) || !attr.ReadAnyASN1(&value, &tag) {
			return "", false
		}
		typ := attributeName(id)
		if typ == "" || tag == bmpString || !needsNoEscape(value) || at < len(typ)+len("=,")+len(value) {
			return "", false
		}
		if n > 0 {
			at--
			buf[at] = ','
		}
		at -= copy(buf[at-len(value):], value)
		at--
		buf[at] = '='
		at -= copy(buf[at-len(typ):], typ)
	}
	return string(buf[at:]), true
}

// attributeName returns the keyword of an attribute type from its encoded object identifier (RFC 2253 section 2.3), or
// "".
func attributeName(id []byte) string {
	if len(id) != 3 || id[0] != 0x55 || id[1] != 4 {
		return ""
	}
	switch id[2] {
	case 3:
		return "CN"
	case 6:
		return "C"
	case 7:
		return "L"
	case 8:
		return "ST"
	case 10:
		return "O"
	case 11:
		return "OU"
	}
	return ""
}

func needsNoEscape(value []byte) bool {
	return parse.IsPlain(value) && !bytes.ContainsAny(value, `,+"\<>;#`) && len(bytes.Trim(value, " ")) == len(value)
}
