// SPDX-License-Identifier: Apache-2.0

package packet

// UDP ports of the tunnels that are taken off (IANA; 8472 is the port of VXLAN in Linux before it had one of its own).
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

// udpTunnel takes off a tunnel in the UDP payload that p holds. Ports are only a hint: what does not read as the tunnel
// without a flaw stays an ordinary UDP packet. VXLAN and Geneve choose the source port at random, so only their
// destination port tells; the others are symmetric.
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

// verified is inner for a tunnel that only a port number, or a header with a doubtful point, announced: what is within
// must be read without a fault, or p stays what it was. Only a transport header that the snap length cut is forgiven.
func verified(p *Packet, t TunnelType, id uint32, hasID bool, et uint16, b []byte, n, depth int) Verdict {
	outer := *p
	v := inner(p, t, id, hasID, et, b, n, depth)
	if v == VerdictOK || outer.Truncated && p.NumTunnels > outer.NumTunnels && p.HasIP {
		return v
	}
	*p = outer
	return VerdictOK
}

// vxlan reads VXLAN (RFC 7348 section 5). The group policy extension uses some reserved bits; other reserved bits must
// be ignored, but make the header doubtful.
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

// iVXLAN reads VXLAN as ACI has it: reserved bits hold policy, and the port may be that of anything else.
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
