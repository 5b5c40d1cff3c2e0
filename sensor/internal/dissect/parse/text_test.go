// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"stillwatch/sensor/internal/dissect/dissecttest"
)

// TestCleanText compares CleanText with the standard library.
func TestCleanText(t *testing.T) {
	x := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		b := dissecttest.RandomText(x)
		want := strings.Map(func(r rune) rune {
			if r == utf8.RuneError || !unicode.IsPrint(r) {
				return '.'
			}
			return r
		}, string(bytes.TrimSpace(b)))
		if got := CleanText(b, len(b)); got != want {
			t.Fatalf("%q: %q, want %q", b, got, want)
		}
		limit := x.IntN(len(b) + 1)
		if got := CleanText(b, limit); len(got) > limit || !utf8.ValidString(got) {
			t.Fatalf("%q to %d: %q", b, limit, got)
		}
	}
}
