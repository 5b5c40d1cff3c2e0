// SPDX-License-Identifier: Apache-2.0

package packet

// Tags that a switch chip puts into the frames it exchanges with its processor, seen by who captures on that port.

const switchTagSize = 4

// dsa reads LINKTYPE_DSA_TAG_DSA: Ethernet with the tag of Marvell between the addresses and the EtherType.
func dsa(p *Packet, b []byte, wire int) Verdict {
	const addresses = 12
	if len(b) < addresses+switchTagSize+2 {
		return VerdictShortLink
	}
	p.DstMAC, p.SrcMAC, p.HasMAC = MAC(b[0:6]), MAC(b[6:12]), true
	return dsaTag(p, b[addresses:], wire-addresses, 0)
}

// edsa is what follows the EtherType that Marvell chips use for the same tag: two bytes of zero, then the tag.
func edsa(p *Packet, b []byte, wire, depth int) Verdict {
	const reserved = 2
	switch {
	case len(b) < reserved+switchTagSize+2:
		return VerdictShortVLAN
	case depth >= MaxDepth: // tags may lead to each other without end
		return VerdictNesting
	}
	return dsaTag(p, b[reserved:], wire-reserved, depth+1)
}

// dsaTag takes a tag off, at least 6 bytes of which are there. It stands in the place of a VLAN tag that the frame had, if
// the bit for that is set.
func dsaTag(p *Packet, b []byte, wire, depth int) Verdict {
	const tagged = 0x20
	if b[0]&tagged != 0 {
		p.addVLAN(be16(b[2:]) & 0xfff)
	}
	return etherPayload(p, be16(b[4:]), b[switchTagSize+2:], wire-switchTagSize-2, depth)
}

// broadcom reads LINKTYPE_DSA_TAG_BRCM: Ethernet with 4 bytes between the addresses and the EtherType.
func broadcom(p *Packet, b []byte, wire int) Verdict {
	const addresses, headLen = 12, 12 + switchTagSize + 2
	if len(b) < headLen {
		return VerdictShortLink
	}
	p.DstMAC, p.SrcMAC, p.HasMAC = MAC(b[0:6]), MAC(b[6:12]), true
	return etherPayload(p, be16(b[addresses+switchTagSize:]), b[headLen:], wire-headLen, 0)
}

// broadcomPrepended reads LINKTYPE_DSA_TAG_BRCM_PREPEND: the tag before the frame.
func broadcomPrepended(p *Packet, b []byte, wire int) Verdict {
	if len(b) < switchTagSize {
		return VerdictShortLink
	}
	return ethernet(p, b[switchTagSize:], wire-switchTagSize, 0)
}
