// SPDX-License-Identifier: Apache-2.0

package packet

const (
	ipv4HeaderSize = 20
	maxDatagram    = 65535
)

// ipv4 reads an IPv4 header (RFC 791 section 3.1). The checksum is not verified: senders with checksum offload are
// captured before it is filled in.
func ipv4(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < ipv4HeaderSize {
		return VerdictShortIPv4
	}
	if b[0]>>4 != 4 {
		return VerdictIPVersion
	}
	header := int(b[0]&15) * 4
	if header < ipv4HeaderSize {
		return VerdictIPv4IHL
	}
	total := int(be16(b[2:]))
	if total == 0 { // a segment still to be cut by the network card (TSO, BIG TCP) has no total length
		total = wire
	}
	if total < header {
		return VerdictIPv4Length
	}
	if len(b) < header {
		return VerdictShortIPv4
	}
	if total > len(b) {
		p.Truncated = true
		total = believable(total, wire, depth)
	}
	p.HasIP = true
	p.Src, p.Dst = AddrFrom4(b[12:]), AddrFrom4(b[16:])
	p.IPBytes = uint32(total)
	p.IPID = be16(b[4:])
	p.TTL = b[8]
	p.Proto = b[9]
	body := cut(b[header:], total-header)
	frag := be16(b[6:])
	if frag&0x3fff != 0 {
		return fragment(p, fragmentHeader{uint32(p.IPID), int(frag&0x1fff) * 8, frag&0x2000 != 0, p.Proto}, body, total-header)
	}
	return transport(p, p.Proto, body, total-header, depth)
}

// believable bounds a length from an IP header by what the frame held on the wire: else a frame of 60 bytes could claim
// 65535 to spoil the accounts. Not in tunnels: a switch may cut what it mirrors, and the length is then the true one.
func believable(length, wire, depth int) int {
	if depth == 0 {
		return min(length, wire)
	}
	return length
}

type fragmentHeader struct {
	id     uint32
	offset int // bytes
	more   bool
	next   uint8
}

// fragment sets the fragment fields and reads the transport header where it is in the piece. Tunnels are not taken off
// here: the Reassembler does it once the datagram is whole.
func fragment(p *Packet, h fragmentHeader, b []byte, n int) Verdict {
	p.Frag = FragLater
	if h.offset == 0 {
		p.Frag = FragFirst
	}
	p.FragID, p.FragOff, p.FragLen = h.id, uint32(h.offset), uint32(n)
	p.FragMore, p.FragNext = h.more, h.next
	p.Body, p.hasRare = b, true
	v := VerdictOK
	if h.offset == 0 {
		v = upper(p, h.next, b, n)
	} else {
		p.Kind = kindOf(h.next)
		p.Proto = h.next
		p.rest(b, n)
	}
	// Pieces but the last are of multiples of 8 bytes (RFC 791 section 3.2); a datagram ends at 65535 (the "ping of death").
	if n == 0 || h.more && n%8 != 0 || h.offset+n > maxDatagram {
		v = VerdictFragment
	}
	return v
}

func kindOf(proto uint8) Kind {
	switch proto {
	case protoTCP:
		return KindTCP
	case protoUDP:
		return KindUDP
	case protoSCTP:
		return KindSCTP
	case protoICMP:
		return KindICMP
	case protoICMP6:
		return KindICMP6
	}
	return KindIP
}
