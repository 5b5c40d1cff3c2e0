// SPDX-License-Identifier: Apache-2.0

// Package parse has the low-level readers that the dissectors share: text, escapes, JSON, BER and binary fields. All of
// them accept any bytes, cut and forged ones included, and never read beyond the end.
package parse

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// CleanText returns b as valid UTF-8 without control characters and of at most limit bytes, so that it is safe in a
// record and on a terminal whatever a peer sent.
func CleanText(b []byte, limit int) string {
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
	if IsPlain(b) {
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

// IsPlain reports whether b is printable ASCII.
func IsPlain(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

// FoldPrefix reports whether b begins with prefix, ignoring case. prefix must be lower case.
func FoldPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && FoldEqual(b[:len(prefix)], prefix)
}

// FoldEqual reports whether b equals s, ignoring case. s must be lower-case ASCII.
func FoldEqual(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if Lower(c) != s[i] {
			return false
		}
	}
	return true
}

// FoldIndex returns the index of s in b, ignoring case, or -1. s must be lower-case ASCII.
func FoldIndex(b []byte, s string) int {
	for i, c := range b[:max(0, len(b)-len(s)+1)] {
		if Lower(c) == s[0] && FoldEqual(b[i:i+len(s)], s) {
			return i
		}
	}
	return -1
}

// FoldContains reports whether b contains s, ignoring case. s must be lower-case ASCII.
func FoldContains(b []byte, s string) bool { return FoldIndex(b, s) >= 0 }

// Lower returns the lower case of an ASCII letter, and any other byte as it is.
func Lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Number reads at most 9 decimal digits from the start of b. ok is false if there are none.
func Number(b []byte) (n int, ok bool) {
	for i, c := range b {
		if c < '0' || c > '9' || i == 9 {
			return n, i > 0
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

// CutLine splits the first line off b, without its line end. ok is false if no line is complete.
func CutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, b, false
	}
	line, rest = b[:i], b[i+1:]
	return bytes.TrimSuffix(line, []byte("\r")), rest, true
}

// Word splits b at the first space.
func Word(b []byte) (first, rest []byte) {
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		return b, nil
	}
	return b[:i], bytes.TrimLeft(b[i+1:], " ")
}

// IsOneOf reports whether name is one of names, ignoring case. names must be lower-case ASCII.
func IsOneOf(name []byte, names []string) bool {
	for _, n := range names {
		if FoldEqual(name, n) {
			return true
		}
	}
	return false
}

// HasControl reports whether b contains a control character other than a tab.
func HasControl(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// FoldSuffix reports whether b ends in s, ignoring case. s must be lower case.
func FoldSuffix(b []byte, s string) bool {
	return len(b) >= len(s) && FoldEqual(b[len(b)-len(s):], s)
}
