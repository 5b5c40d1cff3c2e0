// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"net/netip"
	"strings"
	"testing"

	"stillwatch/bpf"
	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/packet"
)

// The rings have only watched frames, the list can be changed, and frames that are not watched are counted.
func TestFilteredAFPacket(t *testing.T) {
	send := cable(t)
	watch := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	l, err := OpenLive(LiveConfig{Iface: "mirror", Mode: ModeAFPacket, Watch: watch("192.0.2.0/24"), Rings: 2})
	if err != nil {
		testneed.Missing(t, testneed.BPFNeed, "%v", err)
	}
	defer l.Close()
	if f, ok := l.Source.(*Filtered); !ok || !l.Maps || !strings.Contains(l.Why, "socket filter") {
		testneed.Missing(t, testneed.BPFNeed, "%T %s", f, l.Why)
	}
	frames := mutable() // all of 192.0.2.1, or of IPv6
	count := func() (v4, v6 int) {
		var b Batch
		for empty := 0; empty < 3; {
			if err := l.Next(&b); err != nil {
				t.Fatal(err)
			}
			for _, f := range b.Frames {
				var p packet.Packet
				packet.Decode(&p, f.Link, b.Data[f.Off:f.Off+f.Len], f.OrigLen)
				if p.V6 {
					v6++
				} else if p.HasIP {
					v4++
				}
			}
			if empty++; len(b.Frames) > 0 {
				empty = 0
			}
		}
		return v4, v6
	}
	sendAll := func() {
		for _, f := range frames {
			send(f)
		}
	}
	six := 0
	for _, f := range frames {
		var p packet.Packet
		packet.Decode(&p, packet.LinkEthernet, f, uint32(len(f)))
		if p.V6 {
			six++
		}
	}
	sendAll()
	if v4, v6 := count(); v4 != len(frames)-six || v6 != 0 {
		t.Errorf("IPv4 is watched: %d and %d of %d and %d frames came", v4, v6, len(frames)-six, six)
	}
	if err := l.SetWatch(LiveConfig{Watch: watch("2001:db8::/32")}); err != nil {
		t.Fatal(err)
	}
	sendAll()
	if v4, v6 := count(); v4 != 0 || v6 != six {
		t.Errorf("IPv6 is watched: %d and %d of %d and %d frames came", v4, v6, len(frames)-six, six)
	}
	s := l.Stats()
	if s.Reasons[bpf.Unwatched.String()] != uint64(len(frames)) || s.Received != uint64(2*len(frames)) || s.Drops.Ring != 0 {
		t.Errorf("%+v", s)
	}
}
