// SPDX-License-Identifier: Apache-2.0

package session

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/packet"
)

// TestProgress sends payload for ten seconds, and 130 where the minute counts, and checks at which ticks progress is reported. The
// client is 10.0.0.1, the server 10.0.0.200.
func TestProgress(t *testing.T) {
	client, server := packet.AddrFrom4([]byte{10, 0, 0, 1}), packet.AddrFrom4([]byte{10, 0, 0, 200})
	cases := []struct {
		name     string
		inside   []packet.Addr
		up, down int // KiB a second
		seconds  int
		wantAt   []int // seconds after the start at which progress is reported
	}{
		{name: "little is carried", up: 10, down: 10, seconds: 10},
		{name: "upload from inside", inside: []packet.Addr{client}, up: 300, seconds: 5, wantAt: []int{1, 2, 3, 4, 5}},
		{name: "slow upload", inside: []packet.Addr{client}, up: 90, seconds: 6, wantAt: []int{3, 4, 5, 6}},
		{name: "download from outside", inside: []packet.Addr{client}, down: 100, seconds: 10, wantAt: []int{3, 6, 9}},
		{name: "upload to a client outside", inside: []packet.Addr{server}, down: 300, seconds: 3, wantAt: []int{1, 2, 3}},
		{name: "both inside", inside: []packet.Addr{client, server}, up: 500, down: 500, seconds: 130, wantAt: []int{1, 61, 121}},
		{name: "no network declared", up: 1, down: 300, seconds: 4, wantAt: []int{1, 2, 3, 4}},
		{name: "a pause", inside: []packet.Addr{client}, up: 300, seconds: 1, wantAt: []int{1}},
	}
	for _, c := range cases {
		for _, swap := range []bool{false, true} {
			r := &recorder{}
			cfg := DefaultConfig()
			cfg.Inside = func(a packet.Addr) bool { return slices.Contains(c.inside, a) }
			if swap && c.inside != nil {
				cfg.Inside = func(a packet.Addr) bool { // the client has the server's address, and the reverse
					return a == client && slices.Contains(c.inside, server) || a == server && slices.Contains(c.inside, client)
				}
			}
			tab := New(cfg, r)
			r.tab = tab
			w := newWire()
			w.swapTheAddrs = swap
			w.play(tab, "cS sSA cA")
			start := w.time
			var got []int
			for sec := 1; sec <= c.seconds+3; sec++ {
				if sec <= c.seconds {
					for range c.up {
						tab.Add(w.packet(true, ack, strings.Repeat("x", 1024)))
					}
					for range c.down {
						tab.Add(w.packet(false, ack, strings.Repeat("x", 1024)))
					}
				}
				r.log = nil
				w.time = start + int64(sec)*1e9
				tab.Advance(w.time / 1e9)
				if slices.Contains(r.log, "progress established") {
					got = append(got, sec)
				}
			}
			if !slices.Equal(got, c.wantAt) {
				t.Errorf("%s (swapped %v): progress at seconds %v, want %v", c.name, swap, got, c.wantAt)
			}
		}
	}
}
