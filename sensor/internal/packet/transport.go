// SPDX-License-Identifier: Apache-2.0

package packet

// IP protocol numbers (IANA) that are read.
const (
	protoHopByHop    = 0
	protoICMP        = 1
	protoIPv4        = 4
	protoTCP         = 6
	protoUDP         = 17
	protoIPv6        = 41
	protoRouting     = 43
	protoFragment    = 44
	protoGRE         = 47
	protoAH          = 51
	protoICMP6       = 58
	protoNone        = 59
	protoDestination = 60
	protoSCTP        = 132
	protoMobility    = 135
	protoMPLS        = 137
	protoHIP         = 139
	protoShim6       = 140
)

const (
	tcpHeaderSize = 20 // without options
	udpHeaderSize = 8
)

// transport reads the payload of IP, which may be a tunnel. n is its length by the IP header.
func transport(p *Packet, proto uint8, b []byte, n, depth int) Verdict {
	switch proto {
	case protoTCP:
		return tcp(p, b, n)
	case protoUDP:
		v := udp(p, b, n)
		if v == VerdictOK && (isTunnelPort(p.DstPort) || isTunnelPort(p.SrcPort)) {
			return udpTunnel(p, depth)
		}
		return v
	}
	if v := plain(p, proto, b, n); v != VerdictOK {
		return v
	}
	switch proto {
	case protoIPv4:
		return inner(p, TunnelIPIP, 0, false, etherIPv4, b, n, depth)
	case protoIPv6:
		return inner(p, TunnelIPIP, 0, false, etherIPv6, b, n, depth)
	case protoGRE:
		return gre(p, b, n, depth)
	case protoMPLS:
		if v := mpls(p, b, n, depth); v != VerdictNoNetwork {
			return v
		}
	case protoAH:
		return ah(p, b, n, depth)
	}
	return VerdictOK
}

// plain reads a transport header and no tunnel in it.
func plain(p *Packet, proto uint8, b []byte, n int) Verdict {
	switch proto {
	case protoTCP:
		return tcp(p, b, n)
	case protoUDP:
		return udp(p, b, n)
	case protoSCTP:
		return sctp(p, b, n)
	case protoICMP:
		return icmp(p, KindICMP, b, n)
	case protoICMP6:
		return icmp(p, KindICMP6, b, n)
	}
	p.Kind = KindIP
	p.rest(b, n)
	return VerdictOK
}

// upper is plain after the extension headers of IPv6.
func upper(p *Packet, proto uint8, b []byte, n int) Verdict {
	if p.V6 {
		return extensions(p, proto, b, n, 0, false)
	}
	return plain(p, proto, b, n)
}

// ah skips an authentication header in IPv4 (RFC 4302), whose payload is not encrypted.
func ah(p *Packet, b []byte, n, depth int) Verdict {
	if depth >= MaxDepth {
		return VerdictNesting
	}
	size := extensionSize(protoAH, b)
	if size < 12 || size > len(b) || size > n {
		return VerdictBadTunnel
	}
	p.Proto = b[0]
	return transport(p, b[0], b[size:], n-size, depth+1)
}

// tcp reads a TCP header (RFC 9293 section 3.1). If the snap length cut the header, it still sets the ports.
func tcp(p *Packet, b []byte, n int) Verdict {
	p.Kind = KindTCP
	if len(b) < tcpHeaderSize {
		return shortPorts(p, b, n, VerdictShortTCP)
	}
	p.SrcPort, p.DstPort = be16(b), be16(b[2:])
	p.Seq, p.Ack = be32(b[4:]), be32(b[8:])
	p.TCPFlags = b[13]
	header := int(b[12]>>4) * 4
	if header < tcpHeaderSize || header > n {
		p.rest(b[tcpHeaderSize:], n-tcpHeaderSize)
		return VerdictTCPOffset
	}
	p.PayloadLen = uint32(n - header)
	p.TCPOptLen = uint8(header - tcpHeaderSize)
	if p.TCPFlags&SYN != 0 {
		p.Window, p.hasRare = be16(b[14:]), true
		tcpOptions(p, b[tcpHeaderSize:min(header, len(b))])
		if p.Frag == FragNone {
			p.Body = cut(b, header)
		}
	}
	if header < len(b) {
		p.Payload = b[header:]
	} else {
		p.Payload = nil
	}
	return VerdictOK
}

// hasSYN reports whether a TCP header has the flag SYN.
func hasSYN(b []byte) bool { return len(b) >= tcpHeaderSize && b[13]&SYN != 0 }

// tcpOptions reads two options of a SYN: maximum segment size and window scale (RFC 7323).
func tcpOptions(p *Packet, o []byte) {
	for len(o) > 1 {
		kind, size := o[0], int(o[1])
		if kind == 0 {
			return
		}
		if kind == 1 {
			o = o[1:]
			continue
		}
		if size < 2 || size > len(o) {
			return
		}
		if kind == 2 && size == 4 {
			p.MSS = be16(o[2:])
		} else if kind == 3 && size == 3 {
			p.WindowScale = min(o[2], 14) + 1 // RFC 7323 section 2.3: at most 14
		}
		o = o[size:]
	}
}

// udp reads a UDP header (RFC 768). The length is 0 in a jumbogram (RFC 2675 section 4) or before segmentation by the network card.
func udp(p *Packet, b []byte, n int) Verdict {
	p.Kind = KindUDP
	if len(b) < udpHeaderSize {
		return shortPorts(p, b, n, VerdictShortUDP)
	}
	p.SrcPort, p.DstPort = be16(b), be16(b[2:])
	length := int(be16(b[4:]))
	v := VerdictOK
	if length == 0 {
		length = n
	} else if length < udpHeaderSize || length > n {
		if p.Frag == FragNone || length < udpHeaderSize {
			v = VerdictUDPLength
		}
		length = n
	}
	p.PayloadLen = uint32(length - udpHeaderSize)
	p.Payload = cut(b[udpHeaderSize:], length-udpHeaderSize)
	return v
}

// sctp reads the common header (RFC 9260 section 3.1); Payload is the chunks.
func sctp(p *Packet, b []byte, n int) Verdict {
	p.Kind = KindSCTP
	if len(b) < 12 {
		return shortPorts(p, b, n, VerdictShortSCTP)
	}
	p.SrcPort, p.DstPort = be16(b), be16(b[2:])
	p.rest(b[12:], n-12)
	return VerdictOK
}

// shortPorts sets the ports from an incomplete transport header.
func shortPorts(p *Packet, b []byte, n int, v Verdict) Verdict {
	if len(b) >= 4 {
		p.SrcPort, p.DstPort = be16(b), be16(b[2:])
	}
	p.Payload, p.PayloadLen = nil, 0
	return v
}

// icmp reads ICMP (RFC 792) and ICMPv6 (RFC 4443): 8 bytes of header, then the payload.
func icmp(p *Packet, kind Kind, b []byte, n int) Verdict {
	p.Kind = kind
	if len(b) < 8 {
		if len(b) >= 2 {
			p.SrcPort, p.DstPort = uint16(b[0]), uint16(b[1])
		}
		p.Payload, p.PayloadLen = nil, 0
		return VerdictShortICMP
	}
	p.SrcPort, p.DstPort = uint16(b[0]), uint16(b[1])
	if hasICMPID(kind, b[0]) {
		p.ICMPID, p.ICMPSeq, p.hasRare = be16(b[4:]), be16(b[6:]), true
	}
	if kind == KindICMP6 && b[0] >= 133 && b[0] <= 137 && p.Frag == FragNone { // not allowed in fragments (RFC 6980)
		p.Body, p.hasRare = b, true
	}
	p.rest(b[8:], n-8)
	return VerdictOK
}

// hasICMPID reports whether a message type has an identifier: echo, and for ICMP also timestamp, information and mask.
func hasICMPID(kind Kind, t uint8) bool {
	if kind == KindICMP6 {
		return t == 128 || t == 129
	}
	return t == 0 || t == 8 || t >= 13 && t <= 18
}
