// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"strings"
	"unicode/utf8"

	"stillwatch/sensor/internal/dissect/parse"
)

// Sum64 returns the FNV-1a hash of b, by which a session recognizes a value again without keeping it. It is never 0,
// and never part of a fact.
func Sum64(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h | 1
}

// Hint returns all that may be kept of a user name: at most its last two characters.
func Hint(user []byte) string {
	const most = 2 * utf8.UTFMax
	s := parse.CleanText(user[max(len(user)-most, 0):], most)
	return strings.Clone(s[len(s)-suffixLen(s, 2):]) // without the rest of the name behind it
}

// suffixLen returns the length in bytes of the last n characters of s.
func suffixLen(s string, n int) int {
	at := len(s)
	for ; n > 0 && at > 0; n-- {
		_, w := utf8.DecodeLastRuneInString(s[:at])
		at -= w
	}
	return len(s) - at
}
