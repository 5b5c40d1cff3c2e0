// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"bytes"
	"encoding/base64"
)

// Quoted splits b after a closing quote. Escapes are not resolved.
func Quoted(b []byte) (value, rest []byte) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// UnescapePercent appends b to dst with %XX and + resolved, as far as the capacity of dst goes.
func UnescapePercent(dst, b []byte) []byte {
	for i := 0; i < len(b) && len(dst) < cap(dst); i++ {
		c := b[i]
		if c == '+' {
			c = ' '
		} else if c == '%' && i+2 < len(b) && IsHex(b[i+1]) && IsHex(b[i+2]) {
			c = HexValue(b[i+1])<<4 | HexValue(b[i+2])
			i += 2
		}
		dst = append(dst, c)
	}
	return dst
}

// IsHex reports whether c is a hexadecimal digit.
func IsHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= Lower(c) && Lower(c) <= 'f'
}

// HexValue returns the value of a hexadecimal digit.
func HexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return Lower(c) - 'a' + 10
}

// Base64 decodes text into buf. It returns nil if the result does not fit or text is not Base64.
func Base64(buf, text []byte) []byte {
	text = bytes.TrimRight(text, "= \t")
	if base64.RawStdEncoding.DecodedLen(len(text)) > len(buf) {
		return nil
	}
	n, err := base64.RawStdEncoding.Decode(buf, text)
	if err != nil {
		return nil
	}
	return buf[:n]
}
