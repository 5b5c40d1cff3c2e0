// SPDX-License-Identifier: Apache-2.0

package packet

// Counts are the packets of one session between A and B that the kernel counted and did not hand on. Index 0 is what A has sent, 1 what
// B has sent. Addresses are IPv4-mapped as in Packet; PortA and PortB are 0 where the protocol has none, and for ICMP what Community ID
// takes for ports.
type Counts struct {
	A, B                           Addr
	PortA, PortB                   uint16
	Proto                          uint8     // IP protocol number
	Before                         uint32    // index of the frame in its batch before which they were counted; the number of frames: after all
	Packets, IPBytes, PayloadBytes [2]uint64 // since the last counts of the session
	Gap                            uint32    // TCP: bytes that these packets acknowledge and that were never seen
	End                            [2]uint32 // TCP: sequence number after the highest that was seen so far; 0: none was
	Last                           int64     // capture time of the last of these packets, nanoseconds since the Unix epoch
}

// Packet gives a packet such as c has counted, without MACs, lengths and payload. Who has sent something is its sender.
func (c *Counts) Packet() Packet {
	p := Packet{Time: c.Last, Src: c.A, Dst: c.B, SrcPort: c.PortA, DstPort: c.PortB, Proto: c.Proto, Kind: KindIP, HasIP: true}
	p.V6 = !c.A.Is4() || !c.B.Is4()
	switch c.Proto {
	case protoTCP:
		p.Kind, p.TCPFlags = KindTCP, ACK
	case protoUDP:
		p.Kind = KindUDP
	case protoSCTP:
		p.Kind = KindSCTP
	case protoICMP:
		p.Kind = KindICMP
	case protoICMP6:
		p.Kind = KindICMP6
	}
	if c.Packets[0] == 0 {
		p.Src, p.Dst, p.SrcPort, p.DstPort = p.Dst, p.Src, p.DstPort, p.SrcPort
	}
	return p
}

// FlowHash gives what Packet.FlowHash gives for the packets that were counted.
func (c *Counts) FlowHash() uint64 {
	p := c.Packet()
	return p.FlowHash()
}
