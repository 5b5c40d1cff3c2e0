// SPDX-License-Identifier: Apache-2.0

package parse

import "bytes"

// Element returns the text of the first XML element with a local name, ignoring its prefix and attributes, nil if there is none. name must
// be lower case; case is ignored. The text ends at the next tag, so that of an element with children is what precedes them. b may be
// malformed or cut.
func Element(b []byte, name string) []byte {
	for {
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			return nil
		}
		b = b[i+1:]
		end := bytes.IndexByte(b, '>')
		if end < 0 {
			return nil
		}
		tag := b[:end]
		if n := bytes.IndexAny(tag, " \t\r\n/"); n > 0 {
			tag = tag[:n]
		}
		if n := bytes.IndexByte(tag, ':'); n >= 0 {
			tag = tag[n+1:]
		}
		if !FoldEqual(tag, name) {
			continue
		}
		text := b[end+1:]
		if n := bytes.IndexByte(text, '<'); n >= 0 {
			text = text[:n]
		}
		return bytes.TrimSpace(text)
	}
}
