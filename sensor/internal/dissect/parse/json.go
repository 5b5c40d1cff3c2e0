// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"bytes"
	"unicode/utf8"
)

// JSONMembers calls fn for each member of a JSON text that is a string, a number or a literal, in order. depth is the
// number of objects and arrays around it. A string comes without its quotes and with its escapes. The text may be
// malformed or cut. Where the closing quote of a value is missing, as recorders of Dahua write it ("Version" : "1.0, "Next" : 1),
// the value ends at the comma before the next key.
func JSONMembers(b []byte, fn func(depth int, key, value []byte)) {
	depth := 0
	var key []byte
	for len(b) > 0 {
		switch c := b[0]; c {
		case '{', '[':
			depth, key, b = depth+1, nil, b[1:]
		case '}', ']':
			depth, key, b = depth-1, nil, b[1:]
		case ',', ' ', '\t', '\r', '\n', ':':
			if c == ',' {
				key = nil
			}
			b = b[1:]
		case '"':
			text := b[1:]
			s, rest := Quoted(text)
			after := bytes.TrimLeft(rest, " \t\r\n")
			switch {
			case key == nil && len(after) > 0 && after[0] == ':':
				key, b = s, after[1:]
				continue
			case key != nil && len(after) > 0 && bytes.IndexByte([]byte(",}]"), after[0]) < 0:
				s, rest = unclosed(text, s, rest)
			}
			fn(depth, key, s)
			key, b = nil, rest
		default:
			n := bytes.IndexAny(b, ",]} \t\r\n")
			if n < 0 {
				n = len(b)
			}
			fn(depth, key, b[:n])
			key, b = nil, b[n:]
		}
	}
}

// unclosed splits text after a string whose closing quote is missing: s has run on to the opening quote of the next key, and rest is what
// follows that. Other strings stay as they are.
func unclosed(text, s, rest []byte) (value, after []byte) {
	value = bytes.TrimRight(s, " \t\r\n")
	if n := len(value) - 1; n >= 0 && value[n] == ',' {
		return value[:n], text[len(s):]
	}
	return s, rest
}

// UnescapeJSON appends b to dst with the escapes of a JSON string resolved (RFC 8259 section 7), as far as the capacity of dst goes. An
// escape that is malformed stays as it is.
func UnescapeJSON(dst, b []byte) []byte {
	for i := 0; i < len(b) && len(dst) < cap(dst); i++ {
		c := b[i]
		if c != '\\' || i+1 == len(b) {
			dst = append(dst, c)
			continue
		}
		i++
		switch c = b[i]; c {
		case 'b', 'f', 'n', 'r', 't':
			c = ' '
		case 'u':
			if r, ok := hex4(b[i+1:]); ok && len(dst)+utf8.UTFMax <= cap(dst) {
				dst = utf8.AppendRune(dst, r)
				i += 4
				continue
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// hex4 reads four hexadecimal digits.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		if !IsHex(c) {
			return 0, false
		}
		r = r<<4 | rune(HexValue(c))
	}
	return r, true
}
