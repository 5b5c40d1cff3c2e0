// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"encoding/asn1"
	"strings"
	"testing"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"stillwatch/internal/testlab/mutate"
)

// nameOf builds the contents of a Name; each value has its tag before it, each set one or more attributes.
func nameOf(sets ...[]rdn) cryptobyte.String {
	var b cryptobyte.Builder
	for _, set := range sets {
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			for _, a := range set {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(a.id)
					b.AddASN1(a.tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.value)) })
				})
			}
		})
	}
	return b.BytesOrPanic()
}

type rdn struct {
	id    asn1.ObjectIdentifier
	tag   cbasn1.Tag
	value string
}

// TestPlainNames checks that plainName equals anyName, and which names it rejects.
func TestPlainNames(t *testing.T) {
	at := func(n int, value string) rdn {
		return rdn{asn1.ObjectIdentifier{2, 5, 4, n}, cbasn1.UTF8String, value}
	}
	many := make([][]rdn, maxRDNs+3)
	for i := range many {
		many[i] = []rdn{at(3, "a")}
	}
	for name, tc := range map[string]struct {
		name  cryptobyte.String
		plain bool
	}{
		"none":       {nil, true},
		"usual":      {nameOf([]rdn{at(6, "DE")}, []rdn{at(8, "x y")}, []rdn{at(7, "z")}, []rdn{at(10, "Example AG")}, []rdn{at(11, "")}, []rdn{at(3, "cam.example")}), true},
		"escapes":    {nameOf([]rdn{at(10, "Example, Inc.")}, []rdn{at(3, "a")}), false},
		"hash":       {nameOf([]rdn{at(3, "#a")}), false},
		"space":      {nameOf([]rdn{at(3, " a")}), false},
		"not ASCII":  {nameOf([]rdn{at(3, "Kübel")}), false},
		"two":        {nameOf([]rdn{at(3, "a"), at(11, "b")}), false},
		"other type": {nameOf([]rdn{at(5, "1234")}), false},
		"mail":       {nameOf([]rdn{{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, cbasn1.IA5String, "a@b"}}), false},
		"BMP":        {nameOf([]rdn{{asn1.ObjectIdentifier{2, 5, 4, 3}, bmpString, "\x00a"}}), false},
		"long":       {nameOf([]rdn{at(3, strings.Repeat("a", 200))}, []rdn{at(10, strings.Repeat("b", 60))}), false},
		"many":       {nameOf(many...), false},
		"cut":        {nameOf([]rdn{at(3, "a")}, []rdn{at(10, "b")})[:15], false},
	} {
		got, ok := plainName(tc.name)
		if ok != tc.plain || ok && got != anyName(tc.name) {
			t.Errorf("%s: %q, %v, want %q, %v", name, got, ok, anyName(tc.name), tc.plain)
		}
		if nameText(tc.name) != anyName(tc.name) {
			t.Errorf("%s: %q", name, nameText(tc.name))
		}
	}
}

func FuzzTLSName(f *testing.F) {
	f.Add([]byte(nameOf([]rdn{{asn1.ObjectIdentifier{2, 5, 4, 3}, cbasn1.UTF8String, "cam"}})))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if nameText(b) != anyName(b) {
			t.Fatalf("%q, want %q", nameText(b), anyName(b))
		}
	})
}
