// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	berlin, err := ParseZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		zone *time.Location
		end  bool
		want string
	}{
		{"2026-07-01", time.UTC, false, "2026-07-01T00:00:00Z"},
		{"2026-07-01", time.UTC, true, "2026-07-01T23:59:59.999999999Z"},
		{"2026-07-01", berlin, false, "2026-06-30T22:00:00Z"},
		{"2026-07-01 08:15", berlin, false, "2026-07-01T06:15:00Z"},
		{"2026-12-01 08:15", berlin, true, "2026-12-01T07:15:59.999999999Z"},
		{"2026-07-01T08:15:30+02:00", time.UTC, false, "2026-07-01T06:15:30Z"},
		{"2026-07-01T08:15:30.25Z", berlin, true, "2026-07-01T08:15:30.25Z"},
		{"2026-07-01 08:15:30 America/New_York", berlin, false, "2026-07-01T12:15:30Z"},
		{"2026-07-01 08:15 UTC", berlin, false, "2026-07-01T08:15:00Z"},
		{"2026-03-29", berlin, true, "2026-03-29T21:59:59.999999999Z"}, // a day of 23 hours
	} {
		got, err := ParseTime(c.text, c.zone, c.end)
		if at := time.Unix(0, got).UTC().Format(time.RFC3339Nano); err != nil || at != c.want {
			t.Errorf("%s: %s %v, want %s", c.text, at, err, c.want)
		}
	}
	for _, bad := range []string{"", "yesterday", "2026-13-01", "08:15", "2026-07-01 08:15 Nowhere/City", "1969-01-01", "2500-01-01"} {
		if got, err := ParseTime(bad, time.UTC, false); err == nil {
			t.Errorf("%q: %d", bad, got)
		}
	}
	if _, err := ParseZone("Local"); err == nil {
		t.Error("a zone that depends on the machine was accepted")
	}
}
