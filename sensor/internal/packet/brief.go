// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"unsafe"
)

// Brief is a plain packet on its way to the processor that keeps its flow. Moving a cache line from one processor to another costs more than
// decoding a frame, so a Brief is one cache line, and the Packet is made from it where it is needed.
//
// A packet is plain if it is UDP, or TCP without the SYN flag, in unfragmented IPv4 without options, captured to its end, over Ethernet with
// at most one VLAN tag, and without an error in its headers.
type Brief struct {
	Time     int64
	Num      uint32 // number of the packet; its owner chooses the origin
	At       uint32 // for its owner
	Off      uint32 // for its owner: offset of the frame
	src, dst uint32 // in memory order
	ports    uint32
	seq, ack uint32
	total    uint16 // length of the IP packet
	ipID     uint16
	header   uint8 // length of the transport header; 0 if the packet is not plain
	proto    uint8
	flags    uint8
	ttl      uint8
	macs     [12]byte // destination, source
	Part     uint8    // for its owner
	cut      bool
	vlan     uint16 // noVLAN if there is no tag
}

const noVLAN = 1 << 12

var _ = [1]struct{}{}[unsafe.Sizeof(Brief{})-cacheLine] // one cache line; does not compile otherwise

// Offsets in a plain frame without a VLAN tag.
const (
	plainIP = etherHeaderSize
	plainTP = plainIP + ipv4HeaderSize
)

// Take makes b the brief of an Ethernet frame with wire bytes on the wire, and returns the FlowHash of its packet. ok is false if the packet
// is not plain. It does not set Time and the owner's fields.
func (b *Brief) Take(f []byte, wire uint32) (hash uint64, ok bool) {
	b.header, b.vlan, b.cut = 0, noVLAN, min(int(wire), maxFrame) > len(f)
	macs := f
	if len(f) >= plainTP && be16(f[12:]) == etherVLAN {
		b.vlan = be16(f[14:]) & 0xfff
		f = f[vlanTagSize:]
	}
	if len(f) < plainTP+tcpHeaderSize || be16(f[12:]) != etherIPv4 || f[plainIP] != 4<<4|ipv4HeaderSize/4 || be16(f[plainIP+6:])&0x3fff != 0 {
		return 0, false
	}
	total := int(be16(f[plainIP+2:]))
	n := total - ipv4HeaderSize
	if n < udpHeaderSize || plainIP+total > len(f) {
		return 0, false
	}
	src, dst := be16(f[plainTP:]), be16(f[plainTP+2:])
	header := udpHeaderSize
	b.proto, b.flags, b.seq, b.ack = f[plainIP+9], 0, 0, 0
	switch b.proto {
	case protoTCP:
		header = int(f[plainTP+12]>>4) * 4
		if header < tcpHeaderSize || header > n || f[plainTP+13]&SYN != 0 {
			return 0, false
		}
		b.flags, b.seq, b.ack = f[plainTP+13], be32(f[plainTP+4:]), be32(f[plainTP+8:])
	case protoUDP:
		if int(be16(f[plainTP+4:])) != n || isTunnelPort(src) || isTunnelPort(dst) {
			return 0, false
		}
	default:
		return 0, false
	}
	b.src, b.dst = binary.LittleEndian.Uint32(f[plainIP+12:]), binary.LittleEndian.Uint32(f[plainIP+16:])
	b.ports = uint32(src)<<16 | uint32(dst)
	b.total, b.ipID, b.header, b.ttl = uint16(total), be16(f[plainIP+4:]), uint8(header), f[plainIP+8]
	b.macs = [12]byte(macs)
	return hashBoth(hashEnd(0, word4(b.src))+uint64(src)*hashKey3, hashEnd(0, word4(b.dst))+uint64(dst)*hashKey3, b.proto), true
}

// Plain reports whether the last frame that Take read was plain.
func (b *Brief) Plain() bool { return b.header != 0 }

// Ends returns the addresses of a plain packet, in memory order.
func (b *Brief) Ends() (src, dst uint32) { return b.src, b.dst }

// VLAN returns the VLAN of a plain frame, 0 if it has no tag.
func (b *Brief) VLAN() uint16 {
	if b.vlan == noVLAN {
		return 0
	}
	return b.vlan
}

// Packet sets p to what Decode makes of the frame, with which f begins, and sets Time and Part.
func (b *Brief) Packet(p *Packet, f []byte) {
	p.Time, p.Part = b.Time, b.Part
	p.Src.setWord(b.src)
	p.Dst.setWord(b.dst)
	p.IPBytes, p.PayloadLen = uint32(b.total), uint32(b.total)-ipv4HeaderSize-uint32(b.header)
	p.SrcPort, p.DstPort = uint16(b.ports>>16), uint16(b.ports)
	p.Kind, p.TCPOptLen = KindUDP, 0
	if b.proto == protoTCP {
		p.Kind, p.TCPOptLen = KindTCP, b.header-tcpHeaderSize
	}
	p.Proto, p.TCPFlags, p.V6 = b.proto, b.flags, false
	p.Seq, p.Ack, p.Count = b.seq, b.ack, 1
	p.IPID, p.TTL, p.EtherType, p.Frag = b.ipID, b.ttl, etherIPv4, FragNone
	p.DstMAC, p.SrcMAC = MAC(b.macs[:6]), MAC(b.macs[6:])
	p.NumVLANs, p.NumTunnels = 0, 0
	if b.vlan != noVLAN {
		p.addVLAN(b.vlan)
		f = f[vlanTagSize:]
	}
	from, to := plainTP+int(b.header), plainIP+int(b.total)
	p.Payload = f[from:to:to]
	p.Verdict, p.HasIP, p.HasMAC, p.Truncated = VerdictOK, true, true, b.cut
	if p.hasRare {
		p.resetRare()
	}
}

// word4 returns the second half of the Addr of an IPv4 address, both in memory order.
func word4(a uint32) uint64 { return 0xffff<<16 | uint64(a)<<32 }

// setWord writes two whole words: a load right after smaller stores would stall.
func (a *Addr) setWord(w uint32) {
	binary.LittleEndian.PutUint64(a[:8], 0)
	binary.LittleEndian.PutUint64(a[8:], word4(w))
}
