// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"testing"
)

// sameInBrief compares p, the result of Decode for an Ethernet frame, with the packet of its Brief, if it is plain.
func sameInBrief(t *testing.T, p *Packet, frame []byte, wire uint32) (plain bool) {
	t.Helper()
	b := Brief{Time: p.Time, Part: p.Part}
	hash, plain := b.Take(frame, wire)
	if plain != b.Plain() {
		t.Errorf("Take %v, Plain %v", plain, b.Plain())
	}
	if !plain {
		return false
	}
	if hash != p.FlowHash() {
		t.Errorf("hash %x of the brief, %x of the packet of frame % x", hash, p.FlowHash(), frame)
	}
	var q Packet
	Decode(&q, LinkEthernet, fullFrame, uint32(len(fullFrame)))
	b.Packet(&q, frame)
	for i := p.NumVLANs; i < MaxVLANs; i++ {
		q.VLANs[i] = p.VLANs[i]
	}
	q.Tunnels, q.Num = p.Tunnels, p.Num
	if !samePacket(&q, p) {
		t.Errorf("in brief the frame % x is another packet:\n%+v\n%+v", frame, q, *p)
	}
	return true
}

// A Brief makes the same packet as Decode: of plain frames, also with one byte changed, cut, and padded.
func TestBrief(t *testing.T) {
	padding := make([]byte, 30)
	tests := []struct {
		name  string
		frame []byte
		plain bool
	}{
		{"TCP", ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK|PSH, nil, 33))), true},
		{"TCP with options", ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK, []byte{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 5))), true},
		{"TCP without payload", ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, FIN|ACK, nil, 0))), true},
		{"TCP, padded", append(ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK, nil, 0))), padding[:6]...), true},
		{"a SYN", ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, SYN, nil, 0))), false},
		{"UDP", ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(40000, 8000, bytes.Repeat([]byte{7}, 40)))), true},
		{"UDP, padded", append(ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(40000, 8000, nil))), padding...), true},
		{"TCP, tagged", ethFrame(etherVLAN, tagged(77, etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK, nil, 33)))), true},
		{"UDP, tagged and padded", append(ethFrame(etherVLAN, tagged(4095, etherIPv4, ip4(protoUDP, udpDatagram(40000, 8000, nil)))), padding...), true},
		{"two tags", ethFrame(etherVLAN, tagged(77, etherVLAN, tagged(5, etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK, nil, 33))))), false},
		{"VXLAN", ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(40000, portVXLAN, bytes.Repeat([]byte{7}, 40)))), false},
		{"IPv6", ethFrame(etherIPv6, ip6(protoTCP, tcpSegment(1, 2, ACK, nil, 9))), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			agree := func(frame []byte, wire int) bool {
				var p Packet
				Decode(&p, LinkEthernet, frame, uint32(wire))
				return sameInBrief(t, &p, frame, uint32(wire))
			}
			if got := agree(tt.frame, len(tt.frame)+9); got != tt.plain {
				t.Errorf("plain: %v", got)
			}
			for n := range tt.frame {
				agree(tt.frame[:n], len(tt.frame))
			}
			for i := range tt.frame {
				changed := bytes.Clone(tt.frame)
				for v := range 256 {
					changed[i] = byte(v)
					agree(changed, len(changed))
				}
			}
		})
	}
}

// A forged length on the wire is bounded by Brief as by Decode.
func TestBriefOfAForgedLength(t *testing.T) {
	frame := append(ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK, nil, 33))), make([]byte, maxFrame)...)
	var p Packet
	Decode(&p, LinkEthernet, frame, 1<<31)
	if !sameInBrief(t, &p, frame, 1<<31) {
		t.Error("not plain")
	}
}
