// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// dayOfHours is volume written as plainly as can be: a bucket for each hour.
type dayOfHours map[int64]carried

func (d dayOfHours) sum(now int64) (c carried) {
	for h, x := range d {
		if h > now-24 {
			c.out, c.in = c.out+x.out, c.in+x.in
		}
	}
	return c
}

func TestVolumeCoversLastDay(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		var w volume
		plain, h := dayOfHours{}, int64(490_000)
		for range 100 {
			h += []int64{0, 0, 1, 1, 2, 7, 23, 24, 25}[rnd.IntN(9)]
			x := carried{rnd.Uint64N(1000), rnd.Uint64N(1000)}
			w.move(h)
			w.add(x.out, x.in)
			b := plain[h]
			plain[h] = carried{b.out + x.out, b.in + x.in}
			if want := plain.sum(h); w.day != want {
				t.Fatalf("hour %d: %v, want %v", h, w.day, want)
			}
			if len(w.past) > 23 {
				t.Fatalf("%d hours are kept", len(w.past))
			}
		}
	}
}

func TestUploadPeersAreNamedOrAddressed(t *testing.T) {
	d := &device.Device{ID: 1}
	end := func(s string) session.Endpoint {
		return session.Endpoint{Addr: packet.AddrOf(netip.MustParseAddr(s))}
	}
	tests := []struct {
		name, to string
		v6       bool
		want     string
	}{
		{"relay.example.net", "198.51.100.1", false, "relay.example.net"},
		{"", "198.51.100.1", false, "198.51.100.1"},
		{"198.51.100.1", "198.51.100.1", false, "198.51.100.1"},
		{"198.51.100.1.", "198.51.100.1", false, "198.51.100.1."},
		{"node7", "198.51.100.1", false, "node7"},
		{"", "2001:db8::1", true, "2001:db8::1"},
		{"2001:db8::1", "2001:db8::1", true, "2001:db8::1"},
		{"2001:DB8::1", "2001:db8::1", true, "2001:DB8::1"},
		{"", "::ffff:198.51.100.1", true, "::ffff:198.51.100.1"},
		{"fe80::1%eth0", "fe80::1", true, "fe80::1%eth0"},
		{"a\x00b", "198.51.100.1", false, "a�b"},
	}
	for _, tt := range tests {
		e := &Event{name: tt.name, named: true, Session: &session.View{Responder: end(tt.to), V6: tt.v6}}
		p := peerOf(e, &Context{}, d, session.Out)
		if p.String() != tt.want {
			t.Errorf("%q %s: %q, want %q", tt.name, tt.to, p.String(), tt.want)
		}
		e.name = ""
		if named := tt.want != tt.to; named == (p == peerOf(e, &Context{}, d, session.Out)) {
			t.Errorf("%q %s: the peer by its name and by its address", tt.name, tt.to)
		}
	}
}

func TestListedPeerDoesNotAllocate(t *testing.T) {
	var x counter
	a := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")}
	x.addPeer(1, a[0])
	x.addPeer(1, a[1])
	if n := testing.AllocsPerRun(100, func() { x.addPeer(2, a[0]); x.addPeer(2, a[1]) }); n != 0 || len(x.peers) != 2 {
		t.Errorf("%v allocations, peers %v", n, x.peers)
	}
}
