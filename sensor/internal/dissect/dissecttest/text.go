// SPDX-License-Identifier: Apache-2.0

package dissecttest

import (
	"math/rand/v2"
)

// RandomText returns text of letters, spaces, signs of several bytes, control characters and bytes that are no text.
func RandomText(x *rand.Rand) []byte {
	parts := []string{"a", "Z", " ", "  ", "\t", "\n", "\u00e9", "\u00a0", "\u0085", "\u20ac", "\U0001f600", "\ufffd", "\x00", "\x7f", "\xff", "\xc3", "\xf0\x9f"}
	var b []byte
	for range x.IntN(200) {
		b = append(b, parts[x.IntN(len(parts))]...)
	}
	return b
}
