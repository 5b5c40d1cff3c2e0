// SPDX-License-Identifier: Apache-2.0

package packet

const (
	ipv4HeaderSize = 20
	maxDatagram    = 65535
)

// ipv4 reads an IPv4 header (RFC 791 section 3.1). It does not verify the checksum: with checksum offload, packets are captured before it is
// filled in.
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
	if total == 0 { // before segmentation by the network card (TSO, BIG TCP) there is no total length
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
	if p.Proto == protoTCP && hasSYN(body) {
		p.IPForm, p.hasRare = ipv4Form(b), true
	}
	return transport(p, p.Proto, body, total-header, depth)
}

func ipv4Form(b []byte) IPForm {
	f := IPForm(b[0]&15) - ipv4HeaderSize/4
	if b[6]&0x40 != 0 {
		f |= IPDontFragment
	}
	if b[6]&0x80 != 0 {
		f |= IPReserved
	}
	if b[1]&3 != 0 {
		f |= IPECN
	}
	return f
}

// believable bounds a length from an IP header by the length of the frame on the wire, so that a frame of 60 bytes cannot count as 65535.
// Within tunnels it does not: a switch may cut the frames that it mirrors, and the header then has the true length.
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

// fragment sets the fragment fields and reads the transport header if the fragment has it. It does not read tunnels: the Reassembler does
// when the datagram is complete.
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
	// All fragments except the last have a multiple of 8 bytes (RFC 791 section 3.2); a datagram ends at 65535 (the "ping of death").
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
