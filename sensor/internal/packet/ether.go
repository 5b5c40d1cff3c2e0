// SPDX-License-Identifier: Apache-2.0

package packet

// EtherTypes (IEEE 802 numbers, IANA) that lead to a layer that is read.
const (
	etherIPv4       = 0x0800
	etherARP        = 0x0806
	etherERSPAN3    = 0x22eb
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
	etherMACsec     = 0x88e5
	etherNSH        = 0x894f
	etherPBB        = 0x88e7 // IEEE 802.1ah
	etherCMD        = 0x8909 // Cisco MetaData: the security group tag of TrustSec
	etherEDSA       = 0xdada // Marvell's switches: not assigned, but their usual value
	etherVNTag      = 0x8926 // Cisco VN-Tag, the base of IEEE 802.1BR
	etherVLANOld    = 0x9100 // before 802.1ad
	etherVLANOld2   = 0x9200
	maxLengthField  = 1500 // IEEE 802.3 3.2.6: up to here the field is a length
	etherHeaderSize = 14
)

// maxTags bounds the tags of one frame: no network stacks more than three, an attacker may.
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

// etherPayload reads what an EtherType says comes next; GRE, Geneve and cooked captures name their payloads so too.
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

// etherRare is the part of etherPayload that a busy link seldom needs.
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
	if et <= maxLengthField {
		return llc(p, b, min(wire, int(et)), depth)
	}
	return VerdictNoNetwork
}

// tags takes off VLAN tags of every kind, and the tags that carry no VLAN id.
func tags(p *Packet, et uint16, b []byte, wire, depth int) Verdict {
	for range maxTags {
		size := tagSize(et)
		if size == 0 {
			return etherPayload(p, et, b, wire, depth)
		}
		if len(b) < size {
			return VerdictShortVLAN
		}
		if size == vlanTagSize {
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

// tagSize gives the length of what follows the EtherType of a tag, with the next EtherType at its end; 0 if it is none.
func tagSize(et uint16) int {
	switch et {
	case etherVLAN, etherQinQ, etherVLANOld, etherVLANOld2:
		return vlanTagSize
	case etherVNTag:
		return 6
	case etherCMD:
		return 8
	}
	return 0
}

func (p *Packet) addVLAN(id uint16) {
	if p.NumVLANs < MaxVLANs {
		p.VLANs[p.NumVLANs] = id
		p.NumVLANs++
	}
}

// llc reads IEEE 802.2 LLC. SNAP (RFC 1042) leads on to an EtherType; b and wire begin at the DSAP.
func llc(p *Packet, b []byte, wire, depth int) Verdict {
	const (
		sapSNAP = 0xaa
		sapIP   = 0x06
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
	if b[0] != sapSNAP || b[1] != sapSNAP || b[2] != ui {
		return VerdictNoNetwork
	}
	if len(b) < 8 {
		return VerdictShortLLC
	}
	oui := uint32(b[3])<<16 | uint32(b[4])<<8 | uint32(b[5])
	et := be16(b[6:])
	// OUI 0 is RFC 1042, 0x0000f8 the bridge tunnel encapsulation of IEEE 802.1H.
	if oui != 0 && oui != 0x0000f8 || et <= maxLengthField {
		return VerdictNoNetwork
	}
	if depth >= MaxDepth { // a tag after SNAP may lead to LLC again, and so on
		return VerdictNesting
	}
	return etherPayload(p, et, b[8:], wire-8, depth+1)
}

// pbb reads the I-TAG of a provider backbone bridge (IEEE 802.1ah): 4 bytes with the I-SID, then the customer's frame.
func pbb(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < 4 {
		return VerdictShortVLAN
	}
	id := be32(b) & 0xffffff
	return inner(p, TunnelPBB, id, true, etherBridged, b[4:], wire-4, depth)
}

// arp keeps the body of an ARP packet (RFC 826) for IPv4 over Ethernet: 28 bytes. Others are left to EtherType.
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
