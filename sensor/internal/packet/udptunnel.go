// SPDX-License-Identifier: Apache-2.0

package packet

// UDP ports of tunnels (IANA; Linux used 8472 for VXLAN before a port was assigned).
const (
	portGTPU     = 2152
	portTeredo   = 3544
	portVXLAN    = 4789
	portVXLANGPE = 4790
	portGeneve   = 6081
	portMPLS     = 6635 // RFC 7510
	portVXLANOld = 8472
	portTZSP     = 37008
	portIVXLAN   = 48879 // VXLAN inside of a Cisco ACI fabric
)

func isTunnelPort(port uint16) bool {
	switch port {
	case portGTPU, portTeredo, portVXLAN, portVXLANGPE, portGeneve, portMPLS, portVXLANOld, portTZSP, portIVXLAN:
		return true
	}
	return false
}

// udpTunnel reads a tunnel in the UDP payload of p. Ports are only a hint: a payload that is not a valid tunnel remains UDP. VXLAN and Geneve
// use random source ports, so only their destination port counts. The others are symmetric.
func udpTunnel(p *Packet, depth int) Verdict {
	b, n := p.Payload, int(p.PayloadLen)
	switch p.DstPort {
	case portVXLAN, portVXLANOld:
		return vxlan(p, b, n, depth)
	case portIVXLAN:
		return iVXLAN(p, b, n, depth)
	case portVXLANGPE:
		return vxlanGPE(p, b, n, depth)
	case portGeneve:
		return geneve(p, b, n, depth)
	case portTZSP:
		return tzsp(p, b, n, depth)
	case portMPLS:
		outer := *p
		if v := mpls(p, b, n, depth); v != VerdictOK {
			*p = outer
		}
		return VerdictOK
	}
	switch {
	case p.DstPort == portGTPU || p.SrcPort == portGTPU:
		return gtpu(p, b, n, depth)
	case p.DstPort == portTeredo || p.SrcPort == portTeredo:
		return teredo(p, b, n, depth)
	}
	return VerdictOK
}

// verified is inner for an uncertain tunnel: only the port says so, or its header is unusual. The inner packet must be valid, or p does not
// change. Only a transport header that the snap length cut is accepted.
func verified(p *Packet, t TunnelType, id uint32, hasID bool, et uint16, b []byte, n, depth int) Verdict {
	outer := *p
	v := inner(p, t, id, hasID, et, b, n, depth)
	if v == VerdictOK || outer.Truncated && p.NumTunnels > outer.NumTunnels && p.HasIP {
		return v
	}
	*p = outer
	return VerdictOK
}

// vxlan reads VXLAN (RFC 7348 section 5). The group policy extension uses some reserved bits. Other reserved bits must be ignored, but make the
// tunnel uncertain.
func vxlan(p *Packet, b []byte, n, depth int) Verdict {
	const (
		flagVNI   = 0x08
		flagGroup = 0x80
	)
	if len(b) < 8+etherHeaderSize || b[0]&flagVNI == 0 {
		return VerdictOK
	}
	sure := b[0]&^(flagVNI|flagGroup) == 0 && b[7] == 0 && (b[0]&flagGroup != 0 || b[1]|b[2]|b[3] == 0)
	if sure {
		return inner(p, TunnelVXLAN, be32(b[4:])>>8, true, etherBridged, b[8:], n-8, depth)
	}
	return verified(p, TunnelVXLAN, be32(b[4:])>>8, true, etherBridged, b[8:], n-8, depth)
}

// iVXLAN reads the VXLAN of ACI, which uses reserved bits for policy. Other programs may use its port.
func iVXLAN(p *Packet, b []byte, n, depth int) Verdict {
	const flagVNI = 0x08
	if len(b) < 8+etherHeaderSize || b[0]&flagVNI == 0 {
		return VerdictOK
	}
	return verified(p, TunnelVXLAN, be32(b[4:])>>8, true, etherBridged, b[8:], n-8, depth)
}

// vxlanGPE reads the generic protocol extension (draft-ietf-nvo3-vxlan-gpe-13 section 3).
func vxlanGPE(p *Packet, b []byte, n, depth int) Verdict {
	const flagVNI, flagNext, version = 0x08, 0x04, 0x30
	if len(b) < 8 || b[0]&flagVNI == 0 || b[0]&version != 0 {
		return VerdictOK
	}
	et := uint16(etherBridged)
	if b[0]&flagNext != 0 {
		switch b[3] {
		case 1:
			et = etherIPv4
		case 2:
			et = etherIPv6
		case 3:
		case 4:
			et = etherNSH
		case 5:
			et = etherMPLS
		default:
			return VerdictOK
		}
	}
	return verified(p, TunnelVXLAN, be32(b[4:])>>8, true, et, b[8:], n-8, depth)
}

// geneve reads Geneve (RFC 8926 section 3.4): version 0, options, then a payload named by its EtherType.
func geneve(p *Packet, b []byte, n, depth int) Verdict {
	if len(b) < 8 || b[0]>>6 != 0 {
		return VerdictOK
	}
	size := 8 + int(b[0]&0x3f)*4
	et := be16(b[2:])
	if size > len(b) || et != etherBridged && et != etherIPv4 && et != etherIPv6 && et != etherMPLS {
		return VerdictOK
	}
	if b[1]&0x3f == 0 && b[7] == 0 { // reserved bits
		return inner(p, TunnelGeneve, be32(b[4:])>>8, true, et, b[size:], n-size, depth)
	}
	return verified(p, TunnelGeneve, be32(b[4:])>>8, true, et, b[size:], n-size, depth)
}

// tzsp reads TZSP (version 1, type 0 or 1) with Ethernet within: header of 4 bytes, tags, end tag.
func tzsp(p *Packet, b []byte, n, depth int) Verdict {
	const (
		maxTags    = 32
		tagPadding = 0
		tagEnd     = 1
		ethernet   = 1
	)
	if len(b) < 5 || b[0] != 1 || b[1] > 1 || be16(b[2:]) != ethernet {
		return VerdictOK
	}
	at := 4
	for range maxTags {
		if at >= len(b) {
			return VerdictOK
		}
		switch b[at] {
		case tagPadding:
			at++
		case tagEnd:
			return verified(p, TunnelTZSP, 0, false, etherBridged, b[at+1:], n-at-1, depth)
		default:
			if at+2 > len(b) {
				return VerdictOK
			}
			at += 2 + int(b[at+1])
		}
	}
	return VerdictOK
}
