// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"bytes"
)

// JSONMembers gives the members of a JSON text that are a string, a number or a word, in their order, with how many objects and arrays they
// are in. A string is given without its quotes and with its escapes. It stands any text, also one that was cut.
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
			var s []byte
			s, b = Quoted(b[1:])
			if after := bytes.TrimLeft(b, " \t\r\n"); key == nil && len(after) > 0 && after[0] == ':' {
				key, b = s, after[1:]
				continue
			}
			fn(depth, key, s)
			key = nil
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
