// SPDX-License-Identifier: Apache-2.0

package packet

// EtherTypes (IEEE 802 numbers, IANA) of layers that are read.
const (
	etherIPv4       = 0x0800
	etherARP        = 0x0806
	etherCNTag      = 0x22e9 // IEEE 802.1Qau, congestion notification
	etherERSPAN3    = 0x22eb
	etherTRILL      = 0x22f3 // RFC 6325
	etherBridged    = 0x6558 // transparent Ethernet bridging, RFC 1701
	etherVLAN       = 0x8100 // IEEE 802.1Q
	etherIPv6       = 0x86dd
	etherPPP        = 0x880b
	etherWCCP       = 0x883e
	etherMPLS       = 0x8847
	etherMPLSMulti  = 0x8848
	etherPPPoE      = 0x8864
	etherQinQ       = 0x88a8 // IEEE 802.1ad
	etherERSPAN     = 0x88be
	etherBroadcom   = 0x8874 // tag of Broadcom's older switches
	etherRealtek    = 0x8899 // tag of Realtek's switches, and their own protocols
	etherMACsec     = 0x88e5
	etherPBB        = 0x88e7 // IEEE 802.1ah
	etherFabricPath = 0x8903 // Cisco FabricPath
	etherCMD        = 0x8909 // Cisco MetaData: the security group tag of TrustSec
	etherVNTag      = 0x8926 // Cisco VN-Tag, the base of IEEE 802.1BR
	etherHSR        = 0x892f // IEC 62439-3, high-availability seamless redundancy
	etherFGL        = 0x893b // half a fine-grained label of TRILL, RFC 7172
	etherETag       = 0x893f // IEEE 802.1BR
	etherNSH        = 0x894f
	etherTTag       = 0x8988 // Cisco timestamp tag
	etherVLANOld    = 0x9100 // before 802.1ad
	etherVLANOld2   = 0x9200
	etherVLANOld3   = 0x9300
	etherArista     = 0xd28b // Arista timestamp header
	etherEDSA       = 0xdada // Marvell's switches: not assigned, but their usual value
	etherRTag       = 0xf1c1 // IEEE 802.1CB, redundancy
	maxLengthField  = 1500   // IEEE 802.3 3.2.6: up to here the field is a length
	etherHeaderSize = 14
)

// The EtherTypes of LLDP (IEEE 802.1AB) and of the search protocol of Hikvision.
const (
	EtherLLDP = 0x88cc
	EtherSADP = 0x8033
)

// maxTags bounds the tags of one frame. Networks use up to three; an attacker may stack many.
const maxTags = 8

func ethernet(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < etherHeaderSize {
		return VerdictShortLink
	}
	p.DstMAC = MAC(b[0:6])
	p.SrcMAC = MAC(b[6:12])
	p.HasMAC = true
	return etherPayload(p, be16(b[12:]), b[etherHeaderSize:], wire-etherHeaderSize, depth)
}

// etherPayload reads the payload that an EtherType names. GRE, Geneve and cooked captures use EtherTypes too.
func etherPayload(p *Packet, et uint16, b []byte, wire, depth int) Verdict {
	p.EtherType = et
	switch et {
	case etherIPv4:
		return ipv4(p, b, wire, depth)
	case etherIPv6:
		return ipv6(p, b, wire, depth)
	case etherVLAN, etherQinQ, etherVLANOld, etherVLANOld2, etherVNTag, etherCMD:
		return tags(p, et, b, wire, depth)
	}
	return etherRare(p, et, b, wire, depth)
}

// etherRare is the part of etherPayload that a busy link rarely needs.
func etherRare(p *Packet, et uint16, b []byte, wire, depth int) Verdict {
	p.rest(b, wire)
	switch et {
	case etherARP:
		return arp(p, b, wire)
	case etherMPLS, etherMPLSMulti:
		return mpls(p, b, wire, depth)
	case etherPPPoE:
		return pppoe(p, b, wire, depth)
	case etherPBB:
		return pbb(p, b, wire, depth)
	case etherPPP:
		return ppp(p, b, wire, depth)
	case etherMACsec:
		return macsec(p, b, wire, depth)
	case etherNSH:
		return nsh(p, b, wire, depth)
	case etherEDSA:
		return edsa(p, b, wire, depth)
	}
	return etherFabric(p, et, b, wire, depth)
}

// etherFabric is the part of etherPayload for headers that switches add to mirrored frames, and for LLC.
func etherFabric(p *Packet, et uint16, b []byte, wire, depth int) Verdict {
	switch et {
	case EtherLLDP, EtherSADP:
		return neighbor(p, b, wire)
	case etherFabricPath:
		return fabricPath(p, b, wire, depth)
	case etherTRILL:
		return trill(p, b, wire, depth)
	case etherArista:
		return arista(p, b, wire, depth)
	case etherRealtek:
		return realtek(p, b, wire, depth)
	}
	if tagSize(et) != 0 {
		return tags(p, et, b, wire, depth)
	}
	v := VerdictNoNetwork
	if et <= maxLengthField {
		v = llc(p, b, min(wire, int(et)), depth)
	}
	if v == VerdictNoNetwork || v == VerdictShortLLC {
		if size, ok := unnamedTag(b, wire); ok {
			return typeWithin(p, size, b, wire, depth)
		}
	}
	return v
}

// tags reads VLAN tags of every kind, and tags without a VLAN id.
func tags(p *Packet, et uint16, b []byte, wire, depth int) Verdict {
	for range maxTags {
		size := tagSize(et)
		if size == 0 {
			return etherPayload(p, et, b, wire, depth)
		}
		if len(b) < size {
			return VerdictShortVLAN
		}
		if isVLAN(et) {
			p.addVLAN(be16(b) & 0xfff)
		}
		et = be16(b[size-2:])
		p.EtherType = et
		b, wire = b[size:], wire-size
	}
	if tagSize(et) != 0 {
		return VerdictNesting
	}
	return etherPayload(p, et, b, wire, depth)
}

const vlanTagSize = 4

// tagSize returns the length of a tag after its EtherType, with the next EtherType at its end; 0 if et is not that of a tag.
func tagSize(et uint16) int {
	if isVLAN(et) {
		return vlanTagSize
	}
	switch et {
	case etherCNTag, etherFGL:
		return vlanTagSize
	case etherVNTag, etherHSR, etherRTag, etherBroadcom:
		return 6
	case etherCMD, etherTTag, etherETag:
		return 8
	}
	return 0
}

// isVLAN reports whether et is that of a tag with a VLAN id.
func isVLAN(et uint16) bool {
	switch et {
	case etherVLAN, etherQinQ, etherVLANOld, etherVLANOld2, etherVLANOld3:
		return true
	}
	return false
}

func (p *Packet) addVLAN(id uint16) {
	if p.NumVLANs < MaxVLANs {
		p.VLANs[p.NumVLANs] = id
		p.NumVLANs++
	}
}

// llc reads IEEE 802.2 LLC, from the DSAP on. SNAP (RFC 1042) continues with an EtherType.
func llc(p *Packet, b []byte, wire, depth int) Verdict {
	const (
		sapSNAP = 0xaa
		sapIP   = 0x06
		sapSTP  = 0x42 // IEEE 802.1D
		ui      = 0x03 // unnumbered information
	)
	p.rest(b, wire)
	b = cut(b, wire)
	if len(b) < 3 {
		return VerdictShortLLC
	}
	if b[0] == sapIP && b[1] == sapIP && b[2] == ui {
		return etherPayload(p, etherIPv4, b[3:], wire-3, depth)
	}
	if b[0] == sapSTP && b[1] == sapSTP && b[2] == ui {
		return neighbor(p, b, wire)
	}
	if b[0] != sapSNAP || b[1] != sapSNAP || b[2] != ui {
		return VerdictNoNetwork
	}
	if len(b) < 8 {
		return VerdictShortLLC
	}
	oui := uint32(b[3])<<16 | uint32(b[4])<<8 | uint32(b[5])
	et := be16(b[6:])
	if isNeighborSNAP(oui, et) {
		return neighbor(p, b[3:], wire-3)
	}
	// OUI 0 is RFC 1042, 0x0000f8 the bridge tunnel encapsulation of IEEE 802.1H.
	if oui != 0 && oui != 0x0000f8 || et <= maxLengthField {
		return VerdictNoNetwork
	}
	if depth >= MaxDepth { // a tag after SNAP may lead to LLC again, and so on
		return VerdictNesting
	}
	return etherPayload(p, et, b[8:], wire-8, depth+1)
}

// isNeighborSNAP reports whether OUI and protocol of SNAP are those of CDP, EDP, FDP or the spanning trees of Cisco (PVST).
func isNeighborSNAP(oui uint32, protocol uint16) bool {
	switch oui {
	case 0x00000c: // Cisco
		return protocol == 0x2000 || protocol == 0x010b
	case 0x00e052: // Foundry
		return protocol == 0x2000
	case 0x00e02b: // Extreme
		return protocol == 0x00bb
	}
	return false
}

// neighbor sets Body to an announcement to neighbors on the link.
func neighbor(p *Packet, b []byte, wire int) Verdict {
	p.Kind, p.hasRare = KindNeighbor, true
	p.Body = cut(b, max(wire, 0))
	p.rest(b, wire)
	return VerdictOK
}

// pbb reads the I-TAG of a provider backbone bridge (IEEE 802.1ah): 4 bytes with the I-SID, then the customer's frame.
func pbb(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < 4 {
		return VerdictShortVLAN
	}
	id := be32(b) & 0xffffff
	return inner(p, TunnelPBB, id, true, etherBridged, b[4:], wire-4, depth)
}

// arp sets Body to the 28 bytes of an ARP packet (RFC 826) for IPv4 over Ethernet. Other ARP packets are not read.
func arp(p *Packet, b []byte, wire int) Verdict {
	const ethernetIPv4 = 28
	if len(b) < 8 {
		return VerdictShortARP
	}
	if be16(b) != 1 || be16(b[2:]) != etherIPv4 || b[4] != 6 || b[5] != 4 {
		return VerdictNoNetwork
	}
	if len(b) < ethernetIPv4 {
		return VerdictShortARP
	}
	p.Kind = KindARP
	p.Body, p.hasRare = b[:ethernetIPv4:ethernetIPv4], true
	p.rest(b, min(wire, ethernetIPv4))
	return VerdictOK
}
