// SPDX-License-Identifier: Apache-2.0

package packet

// Flags of the first two bytes of a GRE header.
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSequence = 0x1000
	greAck      = 0x0080 // version 1
	greVersion  = 0x0007
)

// gre reads a GRE header: version 0 (RFC 2784, RFC 2890, and the routing field of RFC 1701), or the enhanced one of
// PPTP (RFC 2637 section 4.1), whose key holds the call id.
func gre(p *Packet, b []byte, n, depth int) Verdict {
	if len(b) < 4 {
		return VerdictShortTunnel
	}
	flags, et := be16(b), be16(b[2:])
	switch flags & greVersion {
	case 0:
		return gre0(p, flags, et, b, n, depth)
	case 1:
		return gre1(p, flags, et, b, n, depth)
	}
	return VerdictBadTunnel
}

func gre0(p *Packet, flags, et uint16, b []byte, n, depth int) Verdict {
	at := 4
	if flags&(greChecksum|greRouting) != 0 {
		at += 4
	}
	key := at
	if flags&greKey != 0 {
		at += 4
	}
	if flags&greSequence != 0 {
		at += 4
	}
	if at > len(b) {
		return VerdictShortTunnel
	}
	if flags&greRouting != 0 {
		if at = sourceRoutes(b, at); at == 0 {
			return VerdictBadTunnel
		}
	}
	id, hasID := uint32(0), flags&greKey != 0
	if hasID {
		id = be32(b[key:])
	}
	return grePayload(p, et, id, hasID, flags&greSequence != 0, b[at:], n-at, depth)
}

func grePayload(p *Packet, et uint16, id uint32, hasID, sequence bool, b []byte, n, depth int) Verdict {
	switch et {
	case etherERSPAN:
		return erspan(p, sequence, b, n, depth)
	case etherERSPAN3:
		return erspan3(p, b, n, depth)
	case etherWCCP: // WCCPv2 has a header of 4 bytes before the IPv4 packet, WCCPv1 none
		if len(b) > 4 && b[0]>>4 != 4 {
			b, n = b[4:], n-4
		}
		et = etherIPv4
	}
	if et <= maxLengthField {
		return VerdictOK // a keepalive, or a private protocol
	}
	return inner(p, TunnelGRE, id, hasID, et, b, n, depth)
}

// sourceRoutes skips the source route entries of RFC 1701: family, offset, length, data; the last one has family 0 and length 0. It returns
// the offset after them, 0 if they do not end within b.
func sourceRoutes(b []byte, at int) int {
	const maxRoutes = 16
	for range maxRoutes {
		if at+4 > len(b) {
			return 0
		}
		family, size := be16(b[at:]), int(b[at+3])
		at += 4
		if family == 0 && size == 0 {
			return at
		}
		at += size
	}
	return 0
}

func gre1(p *Packet, flags, et uint16, b []byte, n, depth int) Verdict {
	if et != etherPPP || flags&greKey == 0 {
		return VerdictBadTunnel
	}
	at := 8
	if flags&greSequence == 0 {
		return VerdictOK // acknowledgement without payload
	}
	at += 4
	if flags&greAck != 0 {
		at += 4
	}
	if at > len(b) {
		return VerdictShortTunnel
	}
	length, call := int(be16(b[4:])), be16(b[6:])
	return inner(p, TunnelGRE, uint32(call), true, etherPPP, cut(b[at:], length), min(n-at, length), depth)
}
