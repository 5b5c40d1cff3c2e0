// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"testing"
)

// sameWithoutShortcut decodes an Ethernet frame step by step and compares with p, what Decode made of it.
func sameWithoutShortcut(t *testing.T, p *Packet, frame []byte, wire int) {
	t.Helper()
	var q Packet
	q.reset()
	q.Truncated = wire > len(frame)
	q.Verdict = ethernet(&q, frame, wire, 0)
	q.VLANs, q.Tunnels = p.VLANs, p.Tunnels
	if !samePacket(&q, p) {
		t.Errorf("step by step the frame % x is another packet:\n%+v\n%+v", frame, q, *p)
	}
}

// What the shortcut says of a frame is what the layers say one by one: for common frames, each with any byte changed, cut, and padded.
func TestShortcut(t *testing.T) {
	padding := make([]byte, 30)
	for name, frame := range map[string][]byte{
		"TCP":                  ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK|PSH, nil, 33))),
		"TCP with options":     ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK, []byte{1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, 5))),
		"TCP without payload":  ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK, nil, 0))),
		"UDP":                  ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(40000, 8000, bytes.Repeat([]byte{7}, 40)))),
		"UDP, short":           ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(40000, 8000, []byte{7}))),
		"UDP, padded":          append(ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(40000, 8000, []byte{7}))), padding...),
		"TCP without, padded":  append(ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(40000, 554, ACK, nil, 0))), padding[:6]...),
		"UDP empty and padded": append(ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(40000, 8000, nil))), padding...),
	} {
		t.Run(name, func(t *testing.T) {
			var p Packet
			if len(frame) >= 54 && !p.common(frame, len(frame)) {
				t.Error("the shortcut does not take it")
			}
			for n := range frame {
				shortcutAgrees(t, frame[:n], len(frame))
			}
			for i := range frame {
				changed := bytes.Clone(frame)
				for v := range 256 {
					changed[i] = byte(v)
					shortcutAgrees(t, changed, len(frame))
				}
			}
			shortcutAgrees(t, frame, len(frame)+9)
		})
	}
}

func shortcutAgrees(t *testing.T, frame []byte, wire int) {
	t.Helper()
	var p Packet
	Decode(&p, LinkEthernet, fullFrame, uint32(len(fullFrame)))
	Decode(&p, LinkEthernet, frame, uint32(wire))
	sameWithoutShortcut(t, &p, frame, wire)
}
