// SPDX-License-Identifier: Apache-2.0

package parse

import (
	"bytes"
)

// Element returns the text at the start of the first XML element with this local name, whatever its prefix and its case, or nil. name must be
// lower case. The text may be malformed or cut.
func Element(b []byte, name string) []byte {
	for {
		i := FoldIndex(b, name)
		if i < 0 {
			return nil
		}
		before := b[:i]
		b = b[i+len(name):]
		if len(before) == 0 || before[len(before)-1] != '<' && before[len(before)-1] != ':' {
			continue
		}
		if end := bytes.IndexByte(b, '>'); end == 0 || end > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\r' || b[0] == '\t') {
			value, _, _ := bytes.Cut(b[end+1:], []byte("<"))
			return bytes.TrimSpace(value)
		}
	}
}
