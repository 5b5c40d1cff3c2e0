// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// TestWrap lets another decoder read the frames of the relay.
func TestWrap(t *testing.T) {
	frame := append([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0}, bytes.Repeat([]byte{0x5a}, 51)...)
	for _, way := range []string{GRE, ERSPAN} {
		w := newWrapper(way)
		for n := range uint32(3) {
			p := append(make([]byte, w.head), frame...)
			w.wrap(p)
			got := gopacket.NewPacket(p, layers.LayerTypeEthernet, gopacket.Default)
			ip, ok := got.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
			if !ok || ip.SrcIP.String() != tunnelFrom || ip.DstIP.String() != tunnelTo || int(ip.Length) != len(p)-etherLen || Checksum(0, p[etherLen:etherLen+ipLen]) != 0 {
				t.Fatalf("%s: outer packet %v", way, got)
			}
			gre, ok := got.Layer(layers.LayerTypeGRE).(*layers.GRE)
			if !ok {
				t.Fatalf("%s: no GRE in %v", way, got)
			}
			inner := gre.Payload
			if way == ERSPAN {
				if gre.Protocol != layers.EthernetTypeERSPAN || !gre.SeqPresent || gre.Seq != n {
					t.Errorf("GRE %+v", gre)
				}
				if id := binary.BigEndian.Uint32(inner) & 0x3ff; id != sessionID || inner[0]>>4 != 1 {
					t.Errorf("ERSPAN %x", inner[:erspanLen])
				}
				inner = inner[erspanLen:]
			} else if gre.Protocol != layers.EthernetTypeTransparentEthernetBridging {
				t.Errorf("GRE %+v", gre)
			}
			if !bytes.Equal(inner, frame) {
				t.Errorf("%s: frame %x", way, inner)
			}
		}
	}
}

// TestTag lets another decoder read a frame with the RSPAN tag.
func TestTag(t *testing.T) {
	frame := append([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x88, 0xb5}, bytes.Repeat([]byte{0x5a}, 51)...)
	w := newWrapper(RSPAN)
	p := append(make([]byte, w.head), frame...)
	w.wrap(p)
	got := gopacket.NewPacket(p, layers.LayerTypeEthernet, gopacket.Default)
	tag, ok := got.Layer(layers.LayerTypeDot1Q).(*layers.Dot1Q)
	if !ok || tag.VLANIdentifier != RemoteVLAN || tag.Type != 0x88b5 || !bytes.Equal(p[:12], frame[:12]) || !bytes.Equal(tag.Payload, frame[14:]) {
		t.Errorf("%v", got)
	}
}
