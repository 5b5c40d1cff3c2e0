// SPDX-License-Identifier: Apache-2.0

package packet

import "encoding/binary"

// rawIP reads IPv4 or IPv6, as the version field says.
func rawIP(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) == 0 {
		return VerdictShortLink
	}
	switch b[0] >> 4 {
	case 4:
		return etherPayload(p, etherIPv4, b, wire, depth)
	case 6:
		return etherPayload(p, etherIPv6, b, wire, depth)
	}
	p.rest(b, wire)
	return VerdictIPVersion
}

// null reads LINKTYPE_NULL and LINKTYPE_LOOP: an address family of 4 bytes in the byte order of the capturing machine. All families fit into
// one byte, so the end that is zero shows the byte order.
func null(p *Packet, b []byte, wire int) Verdict {
	if len(b) < 4 {
		return VerdictShortLink
	}
	family, et := be32(b), be16(b[2:])
	if family > 0xffff {
		family = binary.LittleEndian.Uint32(b)
	}
	b, wire = b[4:], wire-4
	switch family {
	case 2: // AF_INET everywhere
		return etherPayload(p, etherIPv4, b, wire, 0)
	case 10, 23, 24, 28, 30: // AF_INET6 of Linux, Windows, NetBSD and OpenBSD, FreeBSD, macOS
		return etherPayload(p, etherIPv6, b, wire, 0)
	}
	if et == etherIPv4 || et == etherIPv6 { // some stacks put an EtherType there
		return etherPayload(p, et, b, wire, 0)
	}
	p.rest(b, wire)
	return VerdictNoNetwork
}

// ARPHRD_ values whose "protocol" field in a cooked header is not an EtherType.
const (
	arphrdNetlink = 824
	arphrdGRE     = 778
)

// sll reads a Linux cooked header (LINKTYPE_LINUX_SLL), 16 bytes. It holds the sender's address only.
func sll(p *Packet, b []byte, wire int) Verdict {
	if len(b) < 16 {
		return VerdictShortLink
	}
	p.toAll(be16(b))
	return cooked(p, be16(b[2:]), be16(b[4:]), b[6:14], be16(b[14:]), b[16:], wire-16)
}

// sll2 reads LINKTYPE_LINUX_SLL2, 20 bytes.
func sll2(p *Packet, b []byte, wire int) Verdict {
	if len(b) < 20 {
		return VerdictShortLink
	}
	p.toAll(uint16(b[10]))
	return cooked(p, be16(b[8:]), uint16(b[11]), b[12:20], be16(b), b[20:], wire-20)
}

// toAll sets the receiver from the packet type of a cooked header, which shows only whether the frame was a broadcast.
func (p *Packet) toAll(packetType uint16) {
	const broadcast = 1 // LINUX_SLL_BROADCAST
	if packetType == broadcast {
		p.DstMAC = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
}

func cooked(p *Packet, arphrd, addrLen uint16, addr []byte, proto uint16, b []byte, wire int) Verdict {
	const llcFrame = 0x0004 // LINUX_SLL_P_802_2
	if mac := MAC(addr[:6]); addrLen == 6 && !mac.IsZero() {
		p.SrcMAC, p.HasMAC = mac, true
	}
	if arphrd == arphrdNetlink {
		p.rest(b, wire)
		return VerdictNoNetwork
	}
	if proto == llcFrame {
		p.EtherType = proto
		return llc(p, b, wire, 0)
	}
	if proto <= maxLengthField && arphrd != arphrdGRE {
		p.EtherType = proto
		p.rest(b, wire)
		return VerdictNoNetwork
	}
	return etherPayload(p, proto, b, wire, 0)
}

// nflog reads LINKTYPE_NFLOG: family, version and resource id, then TLVs in the byte order of the capturing machine, each padded to 4 bytes. The packet is TLV type 9 and begins with its network header.
func nflog(p *Packet, b []byte, wire int) Verdict {
	const (
		payload = 9
		maxTLVs = 64
	)
	if len(b) < 4 {
		return VerdictShortLink
	}
	b, wire = b[4:], wire-4
	order := nflogOrder(b)
	for range maxTLVs {
		if len(b) < 4 {
			return VerdictShortLink
		}
		length, kind := int(order.Uint16(b)), order.Uint16(b[2:])&0x7fff
		if length < 4 {
			return VerdictShortLink
		}
		if kind == payload {
			return rawIP(p, cut(b[4:], length-4), min(wire, length)-4, 0)
		}
		step := (length + 3) &^ 3
		if step > len(b) {
			return VerdictShortLink
		}
		b, wire = b[step:], wire-step
	}
	return VerdictNoNetwork
}

// nflogByteOrder is a concrete type: an interface would cost an allocation-prone call.
type nflogByteOrder bool

func (big nflogByteOrder) Uint16(b []byte) uint16 {
	if big {
		return be16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

// nflogOrder returns the byte order, which the first TLV type shows: types are small numbers.
func nflogOrder(b []byte) nflogByteOrder {
	return len(b) >= 4 && binary.LittleEndian.Uint16(b[2:])&0x7fff > 0xff
}
