// SPDX-License-Identifier: Apache-2.0

package packet

const (
	ipv6HeaderSize = 40
	// maxExtensions bounds the chain of extension headers. RFC 8200 has no bound, and receivers follow any length. Senders use two or three
	// headers; attackers may use as many as fit into a frame, to hide the port from sensors that stop earlier.
	maxExtensions = 256
)

// ipv6 reads an IPv6 header (RFC 8200 section 3).
func ipv6(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < ipv6HeaderSize {
		return VerdictShortIPv6
	}
	if b[0]>>4 != 6 {
		return VerdictIPVersion
	}
	n := int(be16(b[4:]))
	next := b[6]
	if n == 0 && next != protoNone { // jumbogram, or before segmentation by the network card
		var v Verdict
		if n, v = jumboLength(next, b, wire); v != VerdictOK {
			return v
		}
	}
	if ipv6HeaderSize+n > len(b) {
		p.Truncated = true
		n = believable(n, wire-ipv6HeaderSize, depth)
	}
	p.HasIP, p.V6 = true, true
	p.Src = Addr(b[8:24])
	p.Dst = Addr(b[24:40])
	p.IPBytes = uint32(ipv6HeaderSize + n)
	p.TTL = b[7]
	p.Proto = next
	body := cut(b[ipv6HeaderSize:], n)
	if next == protoTCP && hasSYN(body) {
		p.IPForm, p.hasRare = ipv6Form(b), true
	}
	if next == protoTCP || next == protoUDP {
		return transport(p, next, body, n, depth)
	}
	return extensions(p, next, body, n, depth, true)
}

func ipv6Form(b []byte) (f IPForm) {
	if b[1]>>4&3 != 0 {
		f |= IPECN
	}
	if be32(b)&0xfffff != 0 {
		f |= IPFlowLabel
	}
	return f
}

// jumboLength returns the payload length of a packet whose header has 0: the jumbo payload option (RFC 2675 section 2), or the rest of the
// frame.
func jumboLength(next uint8, b []byte, wire int) (int, Verdict) {
	n := max(wire-ipv6HeaderSize, 0)
	if next != protoHopByHop {
		return n, VerdictOK
	}
	h := b[ipv6HeaderSize:]
	if len(h) < 8 {
		return n, VerdictOK
	}
	h = cut(h, (int(h[1])+1)*8)
	for i := 2; i+1 < len(h); {
		switch {
		case h[i] == 0: // Pad1
			i++
			continue
		case h[i] == 0xc2 && h[i+1] == 4 && i+6 <= len(h):
			jumbo := int(be32(h[i+2:]))
			if jumbo > n {
				return 0, VerdictIPv6Length
			}
			return jumbo, VerdictOK
		}
		i += 2 + int(h[i+1])
	}
	return n, VerdictOK
}

// extensions follows the chain of extension headers (RFC 8200 section 4) to the transport header. n is the remaining length by the headers.
// takeOff is false within a fragment: it then reads neither tunnels nor another fragment header.
func extensions(p *Packet, next uint8, b []byte, n, depth int, takeOff bool) Verdict {
	for range maxExtensions {
		p.Proto = next
		if !isExtension(next) {
			if takeOff {
				return transport(p, next, b, n, depth)
			}
			return plain(p, next, b, n)
		}
		size := extensionSize(next, b)
		if size == 0 || size > len(b) || size > n {
			p.Kind = KindIP
			p.rest(b, n)
			return VerdictIPv6Extension
		}
		if b[0] == protoNone && isFinal(next) {
			p.Kind = KindIP
			p.rest(b, n)
			return VerdictOK
		}
		head := b[:size]
		b, n = b[size:], n-size
		if next == protoFragment {
			h := fragmentHeader{be32(head[4:]), int(be16(head[2:]) &^ 7), head[3]&1 != 0, head[0]}
			if takeOff && (h.offset != 0 || h.more) { // else it is atomic (RFC 6946), a complete datagram
				return fragment(p, h, b, n)
			}
		}
		next = head[0]
	}
	p.Kind = KindIP
	p.rest(b, n)
	return VerdictIPv6Chain
}

func isExtension(proto uint8) bool {
	switch proto {
	case protoHopByHop, protoRouting, protoFragment, protoAH, protoDestination, protoMobility, protoHIP, protoShim6:
		return true
	}
	return false
}

// isFinal reports whether an extension header is a message of its own when nothing follows it.
func isFinal(proto uint8) bool {
	return proto == protoMobility || proto == protoHIP || proto == protoShim6
}

// extensionSize returns the length of an extension header in bytes, 0 if its length field was not captured.
func extensionSize(proto uint8, b []byte) int {
	if proto == protoFragment {
		return 8
	}
	if len(b) < 2 {
		return 0
	}
	if proto == protoAH { // RFC 4302 section 2.2: in words of 4 bytes, less 2
		return (int(b[1]) + 2) * 4
	}
	return (int(b[1]) + 1) * 8
}
