// SPDX-License-Identifier: Apache-2.0

package session

import (
	"slices"
	"testing"

	"stillwatch/sensor/internal/packet"
)

// The VLAN that the header of a mirror tells is known whichever direction tells it, and whichever comes first.
func TestMirrorVLAN(t *testing.T) {
	src, dst := packet.AddrFrom4([]byte{192, 0, 2, 1}), packet.AddrFrom4([]byte{192, 0, 2, 9})
	erspan := func(vlan uint16) packet.Tunnel {
		return packet.Tunnel{Type: packet.TunnelERSPAN, ID: 7, HasID: true, HasOuter: true, Src: src, Dst: dst, VLAN: vlan}
	}
	for _, tt := range []struct {
		name          string
		client, there uint16
		want          uint16
	}{{"both", 100, 100, 100}, {"the first", 100, 0, 100}, {"the second", 0, 100, 100}, {"neither", 0, 0, 0}, {"each its own", 100, 200, 100}} {
		t.Run(tt.name, func(t *testing.T) {
			r := &recorder{}
			table := New(DefaultConfig(), r)
			r.tab = table
			w := newWire()
			for i, word := range []string{"cS", "sSA", "cA", "sA"} {
				p := w.packet(i%2 == 0, map[string]uint8{"S": syn, "SA": synack, "A": ack}[word[1:]], "")
				p.NumTunnels, p.Tunnels[0] = 1, erspan(tt.there)
				if i%2 == 0 {
					p.Tunnels[0] = erspan(tt.client)
				}
				table.Add(p)
			}
			for _, x := range table.liveRefs() {
				var v View
				table.View(table.at(x), &v)
				if !slices.Equal(v.Tunnels, []packet.Tunnel{erspan(tt.want)}) {
					t.Errorf("%+v", v.Tunnels)
				}
			}
			if n := len(table.liveRefs()); n != 1 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}
