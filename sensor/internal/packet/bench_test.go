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

// BenchmarkDecodeMix decodes frames of several kinds in an order that the branch predictor cannot learn.
func BenchmarkDecodeMix(b *testing.B) {
	kinds := [][]byte{
		ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(1234, 443, ACK, nil, 1400))),
		ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(1234, 443, ACK, []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, 0))),
		ethFrame(etherIPv4, ip4(protoTCP, tcpSegment(1234, 443, SYN, []byte{2, 4, 5, 0xb4, 1, 3, 3, 7}, 0))),
		ethFrame(etherIPv4, ip4(protoUDP, udpDatagram(1234, 53, make([]byte, 60)))),
		ethFrame(etherIPv6, ip6(protoTCP, tcpSegment(1234, 443, ACK, nil, 1400))),
		ethFrame(etherVLAN, tagged(100, etherIPv4, ip4(protoTCP, tcpSegment(1234, 554, ACK, nil, 1400)))),
		ethFrame(etherARP, make([]byte, 46)),
		ethFrame(etherIPv4, ip4(protoICMP, make([]byte, 64))),
	}
	frames := make([][]byte, 4096)
	state := uint32(1)
	for i := range frames {
		state = state*1664525 + 1013904223
		frames[i] = kinds[state>>29]
	}
	var p Packet
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		f := frames[i%len(frames)]
		Decode(&p, LinkEthernet, f, uint32(len(f)))
	}
}

func BenchmarkReassemble(b *testing.B) {
	frames := pieces(7, protoUDP, udpDatagram(5000, 6000, pattern(4000)), 1480)
	r := NewReassembler(ReassemblerConfig{})
	var arena Arena
	r.Use(&arena)
	var p Packet
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.Time = int64(i) * 1e9
		Decode(&p, LinkEthernet, frames[i%len(frames)], uint32(len(frames[i%len(frames)])))
		if r.Add(&p); p.Frag == FragComplete {
			arena.Reset()
		}
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
