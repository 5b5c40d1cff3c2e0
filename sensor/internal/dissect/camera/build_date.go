// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"time"

	"stillwatch/sensor/internal/dissect/parse"
)

// maxText bounds a text that a device says of itself, in bytes.
const maxText = 96

// BuildDate returns the first date in the text of a build as "2019-12-15", or "" if there is none: "2019-12-15 10:02:11", "build 20191215",
// "build 191215" (Hikvision), "Dec 15 2019 10:02" (Axis).
func BuildDate(text []byte) string {
	s := parse.CleanText(text, maxText)
	for _, layout := range [...]string{time.DateOnly, "20060102", "Jan 02 2006", "Jan _2 2006", "060102"} {
		for i := 0; i+len(layout) <= len(s); i++ {
			if i > 0 && isWord(s[i-1]) || i+len(layout) < len(s) && isWord(s[i+len(layout)]) {
				continue
			}
			if t, err := time.Parse(layout, s[i:i+len(layout)]); err == nil && t.Year() >= 2000 {
				return t.Format(time.DateOnly)
			}
		}
	}
	return ""
}

func isWord(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
