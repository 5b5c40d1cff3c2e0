// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"bytes"
)

// JSONMembers calls fn for each member of a JSON text that is a string, a number or a literal, in order. depth is the
// number of objects and arrays around it. A string comes without its quotes and with its escapes. The text may be
// malformed or cut.
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
