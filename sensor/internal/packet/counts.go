// SPDX-License-Identifier: Apache-2.0

package packet

// Counts is the packets of one session between A and B that the kernel counted and did not copy. Index 0 is what A sent, 1 what B sent.
// Addresses are IPv4-mapped as in Packet. PortA and PortB are 0 if the protocol has no ports, and for ICMP the values that Community ID uses
// as ports.
type Counts struct {
	A, B                           Addr
	PortA, PortB                   uint16
	Proto                          uint8     // IP protocol number
	Before                         uint32    // index of the frame in its batch before which they were counted; the number of frames if after all
	Packets, IPBytes, PayloadBytes [2]uint64 // since the last counts of the session
	Gap                            uint32    // TCP: bytes that these packets acknowledge and that were never seen
	End                            [2]uint32 // TCP: sequence number after the highest seen; 0 if none was seen
	Last                           int64     // capture time of the last of these packets, nanoseconds since the Unix epoch
}

// Packet returns a packet like those that c counts, without MACs, lengths and payload. Its sender is an endpoint that sent something.
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

// FlowHash returns the Packet.FlowHash of the counted packets.
func (c *Counts) FlowHash() uint64 {
	p := c.Packet()
	return p.FlowHash()
}
