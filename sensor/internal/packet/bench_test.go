// SPDX-License-Identifier: Apache-2.0

package packet

import "testing"

func BenchmarkDecode(b *testing.B) {
	cases := []struct {
		name  string
		frame []byte
	}{
		{"TCP", ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(1234, 80, ACK, nil, 1000)))},
		{"TCP6", ethFrame(etherIPv6, ip6(protoTCP, tcpSegment(1234, 80, ACK, nil, 1000)))},
		{"VLANUDP", ethFrame(etherVLAN, tagged(100, etherIPv4, ip4(protoUDP, udpDatagram(1234, 53, make([]byte, 500)))))},
		{"VXLAN", ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(50000, portVXLAN, vxlanFrame(7, ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(1234, 80, ACK, nil, 1000)))))))},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			var p Packet
			n := uint32(len(c.frame))
			b.ReportAllocs()
			for b.Loop() {
				Decode(&p, LinkEthernet, c.frame, n)
			}
			if p.Verdict != VerdictOK {
				b.Fatal(p.Verdict)
			}
		})
	}
}

func BenchmarkFlowHash(b *testing.B) {
	var p Packet
	frame := ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(1234, 80, ACK, nil, 1000)))
	Decode(&p, LinkEthernet, frame, uint32(len(frame)))
	var sum uint64
	for b.Loop() {
		sum += p.FlowHash()
	}
	_ = sum
}
