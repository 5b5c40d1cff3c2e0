// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// cleanText gives b as valid UTF-8 without control characters, of at most limit bytes, so that it can go into a record
// or onto a terminal whatever a peer sent.
func cleanText(b []byte, limit int) string {
	b = bytes.TrimSpace(b)
	if len(b) > limit {
		b = b[:limit]
		for i := 0; i < utf8.UTFMax-1 && len(b) > 0 && !utf8.RuneStart(b[len(b)-1]); i++ {
			b = b[:len(b)-1]
		}
		if n := len(b); n > 0 && b[n-1] >= utf8.RuneSelf {
			b = b[:n-1]
		}
	}
	if isPlain(b) {
		return string(b)
	}
	var room [256]byte
	out := room[:0]
	for len(b) > 0 {
		r, w := rune(b[0]), 1
		if r >= utf8.RuneSelf {
			r, w = utf8.DecodeRune(b)
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			out = append(out, '.')
		} else {
			out = append(out, b[:w]...)
		}
		b = b[w:]
	}
	return string(out)
}

// isPlain reports whether b is printable ASCII.
func isPlain(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// userHint is all that is kept of a user name: at most its last two characters.
func userHint(user []byte) string {
	s := cleanText(user, len(user))
	return s[len(s)-suffixLen(s, 2):]
}

// suffixLen is the length in bytes of the last n characters of s.
func suffixLen(s string, n int) int {
	at := len(s)
	for ; n > 0 && at > 0; n-- {
		_, w := utf8.DecodeLastRuneInString(s[:at])
		at -= w
	}
	return len(s) - at
}

// foldPrefix reports whether b begins with prefix, which is lower case, whatever the case of b.
func foldPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && foldEqual(b[:len(prefix)], prefix)
}

// foldEqual compares b with s, which is lower-case ASCII, without regard to case.
func foldEqual(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != s[i] {
			return false
		}
	}
	return true
}

// foldIndex finds s, which is lower-case ASCII, in b without regard to case; -1 if absent.
func foldIndex(b []byte, s string) int {
	for i, c := range b[:max(0, len(b)-len(s)+1)] {
		if lower(c) == s[0] && foldEqual(b[i:i+len(s)], s) {
			return i
		}
	}
	return -1
}

func foldContains(b []byte, s string) bool { return foldIndex(b, s) >= 0 }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// number reads decimal digits from the start of b, at most 9 of them; ok is false if there is none.
func number(b []byte) (n int, ok bool) {
	for i, c := range b {
		if c < '0' || c > '9' || i == 9 {
			return n, i > 0
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

// cutLine splits off the first line of b, without its end. ok is false if no line is complete.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, b, false
	}
	line, rest = b[:i], b[i+1:]
	return bytes.TrimSuffix(line, []byte("\r")), rest, true
}

// word splits b at the first space.
func word(b []byte) (first, rest []byte) {
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		return b, nil
	}
	return b[:i], bytes.TrimLeft(b[i+1:], " ")
}
