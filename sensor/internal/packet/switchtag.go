// SPDX-License-Identifier: Apache-2.0

package packet

// Tags that a switch chip adds to the frames that it exchanges with its processor, seen in captures on that port.

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

// edsa reads what follows the EtherType that Marvell chips use for the same tag: two zero bytes, then the tag.
func edsa(p *Packet, b []byte, wire, depth int) Verdict {
	const reserved = 2
	switch {
	case len(b) < reserved+switchTagSize+2:
		return VerdictShortVLAN
	case depth >= MaxDepth: // tags may nest without end
		return VerdictNesting
	}
	return dsaTag(p, b[reserved:], wire-reserved, depth+1)
}

// dsaTag reads a tag. b holds at least 6 bytes. If its tagged bit is set, it replaces the VLAN tag of the frame.
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

// realtek reads the tag of Realtek's switches: the first bits select the protocol and thus the length. Their other protocols carry no frame.
func realtek(p *Packet, b []byte, wire, depth int) Verdict {
	if len(b) < 1 {
		return VerdictShortVLAN
	}
	switch {
	case b[0]>>4 == 9 || b[0]>>4 == 10: // RTL8306, RTL8366RB
		return typeWithin(p, 2, b, wire, depth)
	case b[0] == 4: // RTL8365MB
		return typeWithin(p, 6, b, wire, depth)
	}
	return VerdictNoNetwork
}

// unnamedTag searches for an EtherType after one that is unknown. That may be the first two bytes of a tag without an EtherType, which switches
// of Broadcom, Marvell, MediaTek and Qualcomm add between the source address and the EtherType. The tag is accepted only if an IPv4 header
// with a correct checksum, or a valid IPv6 header or ARP packet, follows within 10 bytes.
func unnamedTag(b []byte, wire int) (size int, ok bool) {
	const farthest = 8
	for at := 0; at <= farthest && at+2 <= len(b); at += 2 {
		et, next, n := be16(b[at:]), b[at+2:], wire-at-2
		if isVLAN(et) && len(next) >= vlanTagSize {
			if genuine(be16(next[2:]), next[vlanTagSize:], n-vlanTagSize) {
				return at, true
			}
		} else if genuine(et, next, n) {
			return at, true
		}
	}
	return 0, false
}

// genuine reports whether b, with wire bytes on the wire, certainly is of the EtherType et.
func genuine(et uint16, b []byte, wire int) bool {
	switch et {
	case etherIPv4:
		return plausibleIPv4(b, wire) && headerSum(b) == 0xffff
	case etherIPv6:
		return plausibleIPv6(b, wire) && (b[6] == protoTCP || b[6] == protoUDP || b[6] == protoICMP6)
	case etherARP:
		return len(b) >= 28 && be32(b) == 1<<16|etherIPv4 && be16(b[4:]) == 6<<8|4 && be16(b[6:])-1 <= 1
	}
	return false
}

// headerSum returns the sum of an IPv4 header (RFC 1071): 0xffff if its checksum is correct, 0 if the header is cut.
func headerSum(b []byte) uint16 {
	size := int(b[0]&15) * 4
	if size > len(b) {
		return 0
	}
	sum := uint32(0)
	for i := 0; i < size; i += 2 {
		sum += uint32(be16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum)
}
