// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"fmt"
	"strings"
	"time"
)

// layouts are the accepted forms of a time, the zone apart.
var layouts = []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// ParseTime returns a time in nanoseconds. It may end with an offset (+02:00, Z) or with the name of a zone (Europe/Berlin); otherwise it is in
// the zone given. With end, a date alone is its last nanosecond, a minute alone its last one.
func ParseTime(text string, zone *time.Location, end bool) (int64, error) {
	body, z := zoneOf(strings.TrimSpace(text))
	if z != nil {
		zone = z
	}
	for i, layout := range layouts {
		for _, suffix := range []string{"", "Z07:00"} {
			t, err := time.ParseInLocation(layout+suffix, body, zone)
			if err != nil {
				continue
			}
			switch {
			case !end:
			case i == len(layouts)-1:
				t = t.AddDate(0, 0, 1).Add(-1)
			case !strings.Contains(layout, ":05"):
				t = t.Add(time.Minute - 1)
			case !strings.Contains(body, "."):
				t = t.Add(time.Second - 1)
			}
			if y := t.Year(); y < 1971 || y > 2260 {
				return 0, fmt.Errorf("the year %d is out of range", y)
			}
			return t.UnixNano(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time: write 2026-11-30, 2026-11-30 08:15 or 2026-11-30T08:15:30+01:00", text)
}

// zoneOf cuts the name of a zone from the end of a time.
func zoneOf(text string) (body string, zone *time.Location) {
	i := strings.LastIndexByte(text, ' ')
	if i < 0 {
		return text, nil
	}
	z, err := ParseZone(text[i+1:])
	if err != nil || strings.ContainsRune(text[i+1:], ':') {
		return text, nil
	}
	return strings.TrimSpace(text[:i]), z
}

// ParseZone returns a time zone by its name in the database of the operating system or the one in the program.
func ParseZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("%q is no time zone: write UTC or a name such as Europe/Berlin", name)
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%q is no time zone: write UTC or a name such as Europe/Berlin", name)
	}
	return z, nil
}
