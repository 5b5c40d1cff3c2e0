// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

// unknownLink is a link type for private use.
const unknownLink LinkType = 147

var linkTypes = []LinkType{
	LinkEthernet, LinkNull, LinkPPP, LinkPPPHDLC, LinkPPPoE, LinkRawBSD12, LinkRawBSD14, LinkRaw, LinkCiscoHDLC, LinkLoop,
	LinkLinuxSLL, LinkIPv4, LinkIPv6, LinkNFLOG, LinkSLL2, unknownLink,
	LinkIEEE80211, LinkRadiotap, LinkPrism, LinkAVS, LinkPPI, LinkPKTAP, LinkBroadcom, LinkBroadcomPrepended, LinkDSA, LinkEDSA,
}

func FuzzDecode(f *testing.F) {
	for _, c := range decodeCases() {
		for i, l := range linkTypes {
			if l == c.link {
				f.Add(uint8(i), c.frame, uint32(0))
			}
		}
	}
	mutate.Fuzz(f, func(t *testing.T, link uint8, frame []byte, more uint32) {
		l := linkTypes[int(link)%len(linkTypes)]
		orig := uint32(len(frame)) + more%70000
		given := bytes.Clone(frame)
		var p, again Packet
		Decode(&p, l, frame, orig)
		checkPacket(t, &p, frame)
		if !bytes.Equal(frame, given) {
			t.Error("the frame was changed")
		}
		// Nothing of an earlier frame may be left in the Packet.
		Decode(&again, LinkEthernet, fullFrame, uint32(len(fullFrame)))
		Decode(&again, l, frame, orig)
		again.VLANs, again.Tunnels = p.VLANs, p.Tunnels
		if !samePacket(&again, &p) {
			t.Errorf("a reused packet differs:\n%+v\n%+v", again, p)
		}
		if l == LinkEthernet {
			sameInBrief(t, &p, frame, orig)
		}
	})
}

// fullFrame sets as many fields as one frame can.
var fullFrame = ethFrame(etherVLAN, tagged(5, etherIPv4, ip4(protoUDP, udpDatagram(50000, portVXLAN, vxlanFrame(9,
	ethBetween(macC, macD, etherIPv6, ip6(protoTCP, tcpSegment(1, 2, SYN, []byte{2, 4, 5, 0xb4, 3, 3, 7, 0}, 9))))))))

func samePacket(a, b *Packet) bool {
	if !bytes.Equal(a.Payload, b.Payload) || !bytes.Equal(a.Body, b.Body) {
		return false
	}
	x, y := *a, *b
	x.Payload, x.Body = nil, nil
	y.Payload, y.Body = nil, nil
	return equalFields(x, y)
}

// FuzzReassemble runs a script of fragments, six bytes each: datagram, offset, length, flags and time step.
func FuzzReassemble(f *testing.F) {
	f.Add([]byte{0, 0, 2, 1, 0, 0, 0, 2, 2, 0, 0, 0})
	f.Add([]byte{4, 2, 2, 0, 0, 0, 4, 0, 2, 1, 0, 1, 4, 1, 2, 1, 0, 1})
	f.Add([]byte{1, 0, 255, 1, 0, 0, 1, 10, 255, 1, 9, 0, 1, 255, 255, 0, 255, 0})
	body := bytes.Repeat(udpDatagram(5000, portVXLAN, vxlanFrame(5, ethFrame(etherIPv4, ip4(protoTCP, make([]byte, 20))))), 40)
	mutate.Fuzz(f, func(t *testing.T, script []byte) {
		r := NewReassembler(ReassemblerConfig{MaxDatagrams: 8, MaxBytes: 128 << 10, MaxFragments: 16})
		var arena Arena
		r.Use(&arena)
		var now int64
		var frames, passed uint64
		for ; len(script) >= 6; script = script[6:] {
			frame := fuzzFragment(script, body)
			now += int64(int8(script[4])) * 1e8
			p := Packet{Time: now}
			Decode(&p, LinkEthernet, frame, uint32(len(frame))+uint32(script[5]&1)*100)
			if p.Frag == FragNone {
				continue
			}
			frames++
			if r.Add(&p) {
				passed += uint64(p.Count)
				if p.Frag == FragComplete && len(p.Payload) > maxDatagram {
					t.Errorf("%d bytes reassembled", len(p.Payload))
				}
			}
		}
		checkReassembler(t, r, frames, passed)
	})
}

func fuzzFragment(s, body []byte) []byte {
	proto := []uint8{protoUDP, protoTCP, protoIPv4, protoGRE}[s[0]>>4&3]
	offset := int(s[1]) * 8
	if s[5]&2 != 0 {
		offset *= 32
	}
	n := min(int(s[2])*8+int(s[3]>>4), len(body))
	piece := bytes.Clone(body[min(offset, len(body)-n) : min(offset, len(body)-n)+n])
	if s[5]&8 != 0 && n > 0 {
		piece[n/2] ^= 0x55
	}
	more := s[3]&1 != 0
	if s[0]&8 != 0 {
		return ethFrame(etherIPv6, ip6(protoFragment, join(fragHeader(proto, uint32(s[0]&7), offset, more), piece)))
	}
	return ethFrame(etherIPv4, ip4Frag(uint16(s[0]&7), offset&0xffff, more, proto, piece))
}

// checkReassembler asserts the bounds, that every lost frame is counted, and that blocks and slots are consistent.
func checkReassembler(t *testing.T, r *Reassembler, frames, passed uint64) {
	t.Helper()
	var held uint64
	inUse := 0
	for i, n := r.table.oldest, 0; i >= 0; i, n = r.table.pool[i].newer, n+1 {
		d := &r.table.pool[i]
		held += uint64(d.held)
		for _, b := range d.blocks {
			if b >= 0 {
				inUse++
			}
		}
		if r.table.slots[r.table.slot(&d.key)] != i || n > r.Len() {
			t.Fatal("the table is out of order")
		}
	}
	free := 0
	for b := r.store.free; b >= 0; b = r.store.at(b).next {
		free++
	}
	if inUse+free != int(r.store.made) || r.store.made > r.store.max || r.Len() > 8 {
		t.Errorf("%d blocks used and %d free of %d, %d datagrams", inUse, free, r.store.made, r.Len())
	}
	if s := r.Stats(); s.Fragments != frames || passed+held+s.Lost != frames {
		t.Errorf("%d frames, but passed %d, held %d: %+v", frames, passed, held, s)
	}
}
