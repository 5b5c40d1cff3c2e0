// SPDX-License-Identifier: Apache-2.0

package announce

import (
	"bytes"

	"stillwatch/sensor/internal/dissect/parse"
)

// MaxDescription is the longest free text of an announcement that is read, in bytes.
const MaxDescription = 512

// Description returns the first words of a free text, such as sysDescr, in one line that is safe in a record. What follows the name and the version
// of a product is mostly a copyright.
func Description(b []byte) string {
	const longest = 200
	return parse.CleanText(bytes.Join(bytes.Fields(parse.CString(b[:min(len(b), MaxDescription)])), []byte(" ")), longest)
}

// Version returns the version that a free text gives behind one of the words "version", "revision" and "firmware", "" if there is none: "12.2(25)SEE2" of
// "Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M), Version 12.2(25)SEE2, RELEASE SOFTWARE".
func Version(text []byte) string {
	const longest = 48
	text = text[:min(len(text), MaxDescription)]
	for _, word := range [...]string{"version", "revision", "firmware", "ver."} {
		for rest := text; ; {
			i := parse.FoldIndex(rest, word)
			if i < 0 {
				break
			}
			rest = rest[i+len(word):]
			v := bytes.TrimLeft(rest, " :=.")
			if n := bytes.IndexAny(v, " ,;\r\n\t\x00"); n >= 0 {
				v = v[:n]
			}
			v = bytes.TrimLeft(v, "vV")
			if len(v) < len(rest) && len(v) > 0 && len(v) <= longest && '0' <= v[0] && v[0] <= '9' {
				return Text(v)
			}
		}
	}
	return ""
}
