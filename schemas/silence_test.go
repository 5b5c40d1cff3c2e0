// SPDX-License-Identifier: Apache-2.0

package schemas

import "testing"

func TestSilenceText(t *testing.T) {
	const day, hour = 86400, 3600
	until := at + Time(50*day*1_000_000_000)
	for _, c := range []struct {
		s    *Silence
		last int64 // seconds before until
		want string
	}{
		{nil, 0, ""},
		{&Silence{Until: until, WatchedSeconds: 41*day + 6*hour, SilentSeconds: 41*day + 3*hour, LastFrame: "ARP reply"}, 12*60 + 7,
			"silent 41 d 3 h of 41 d 6 h watched (99.7 %), loss 0.00 %, last frame 12 min ago (ARP reply)"},
		{&Silence{Until: until, WatchedSeconds: 100000, SilentSeconds: 99999, LossRatio: 0.00094}, 2 * hour,
			"silent 1 d 3 h of 1 d 3 h watched (99.9 %), loss 0.09 %, last frame 2 h 0 min ago"},
		{&Silence{Until: until, WatchedSeconds: 59, SilentSeconds: 59, LastFrame: "TCP"}, -3, "silent 59 s of 59 s watched (100.0 %), loss 0.00 %, last frame 0 s ago (TCP)"},
		{&Silence{Until: until}, 0, "silent 0 s of 0 s watched, loss 0.00 %, last frame 0 s ago"},
	} {
		if got := c.s.Text(until - Time(c.last*1_000_000_000)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
