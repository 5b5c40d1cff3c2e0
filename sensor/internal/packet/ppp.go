// SPDX-License-Identifier: Apache-2.0

package packet

// ppp reads a PPP frame (RFC 1661, RFC 1662). The address field may be missing, and the protocol field compressed to one byte, which is then
// odd (RFC 1661 section 2).
func ppp(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b, wire = b[2:], wire-2
	}
	if len(b) == 0 {
		return VerdictShortPPP
	}
	proto, size := uint16(b[0]), 1
	if b[0]&1 == 0 {
		if len(b) < 2 {
			return VerdictShortPPP
		}
		proto, size = be16(b), 2
	}
	b, wire = b[size:], wire-size
	switch proto {
	case 0x0021:
		return etherPayload(p, etherIPv4, b, wire, depth)
	case 0x0057:
		return etherPayload(p, etherIPv6, b, wire, depth)
	case 0x0281, 0x0283:
		return etherPayload(p, etherMPLS, b, wire, depth)
	}
	p.rest(b, wire)
	return VerdictNoNetwork
}

// pppHDLC reads LINKTYPE_PPP_HDLC: PPP or Cisco HDLC, as the first byte says.
func pppHDLC(p *Packet, b []byte, wire int) Verdict {
	if len(b) > 0 && (b[0] == 0x0f || b[0] == 0x8f) {
		return ciscoHDLC(p, b, wire)
	}
	return ppp(p, b, wire, 0)
}

// ciscoHDLC reads LINKTYPE_C_HDLC: address, control, EtherType.
func ciscoHDLC(p *Packet, b []byte, wire int) Verdict {
	if len(b) < 4 {
		return VerdictShortLink
	}
	return etherPayload(p, be16(b[2:]), b[4:], wire-4, 0)
}

// pppoe reads a PPPoE session header (RFC 2516 section 4): version and type 1, code 0, session id, length.
func pppoe(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < 6 {
		return VerdictShortPPP
	}
	if b[0] != 0x11 {
		return VerdictBadPPPoE
	}
	if b[1] != 0 { // discovery: on a link of type PPPoE only
		return VerdictNoNetwork
	}
	session, length := be16(b[2:]), int(be16(b[4:]))
	b, wire = b[6:], wire-6
	// Large segments of an offloading sender have no true length.
	if length != 0 && length < wire {
		b, wire = cut(b, length), length
	}
	return inner(p, TunnelPPPoE, uint32(session), true, etherPPP, b, wire, depth)
}
