// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	cases := []struct {
		name string
		p    Progress
		took time.Duration
		want string
	}{
		{"half", Progress{Packets: 2_000_000, BytesRead: 50, BytesTotal: 100, Alerts: 3}, 2 * time.Second, "[##########..........]  50 %, 2 Mpackets, 1 M/s, 2 s left, 3 alerts"},
		{"nothing yet", Progress{BytesTotal: 100}, 0, "[....................]   0 %, 0 packets, 0 /s, 0 alerts"},
		{"a pipe", Progress{Packets: 10, BytesRead: 5000, Alerts: 1}, time.Second, "10 packets, 10 /s, 1 alert"},
		{"a file that grew", Progress{Packets: 10, BytesRead: 200, BytesTotal: 100}, time.Second, "[####################] 100 %, 10 packets, 10 /s, 0 alerts"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := progressLine(c.p, c.took); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}
