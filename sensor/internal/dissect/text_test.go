// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// randomText gives text of letters, spaces, signs of several bytes, control characters and bytes that are no text.
func randomText(x *rand.Rand) []byte {
	parts := []string{"a", "Z", " ", "  ", "\t", "\n", "\u00e9", "\u00a0", "\u0085", "\u20ac", "\U0001f600", "\ufffd", "\x00", "\x7f", "\xff", "\xc3", "\xf0\x9f"}
	var b []byte
	for range x.IntN(200) {
		b = append(b, parts[x.IntN(len(parts))]...)
	}
	return b
}

// What cleanText leaves is what the standard library would have left.
func TestCleanText(t *testing.T) {
	x := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		b := randomText(x)
		want := strings.Map(func(r rune) rune {
			if r == utf8.RuneError || !unicode.IsPrint(r) {
				return '.'
			}
			return r
		}, string(bytes.TrimSpace(b)))
		if got := cleanText(b, len(b)); got != want {
			t.Fatalf("%q: %q, want %q", b, got, want)
		}
		limit := x.IntN(len(b) + 1)
		if got := cleanText(b, limit); len(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("%q to %d: %q", b, limit, got)
		}
	}
}

func TestAppendWords(t *testing.T) {
	x := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		b, room := randomText(x), x.IntN(40)
		want := bytes.Join(slices.Collect(bytes.FieldsSeq(b)), []byte(" "))
		if got := appendWords(make([]byte, 0, room), b); !bytes.Equal(got, want[:min(room, len(want))]) {
			t.Fatalf("%q in %d: %q, want %q", b, room, got, want)
		}
	}
}
