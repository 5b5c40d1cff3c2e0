// SPDX-License-Identifier: Apache-2.0

package packet

import "encoding/binary"

// Headers that adapters add before an 802.11 frame: radiotap, Prism, AVS, PPI.

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// radiotap reads LINKTYPE_IEEE802_11_RADIOTAP (radiotap.org): version 0, the length of the header, little endian.
func radiotap(p *Packet, b []byte, wire int) Verdict {
	const fixed = 8
	p.rest(b, wire)
	if len(b) < fixed {
		return VerdictShortLink
	}
	size := int(binary.LittleEndian.Uint16(b[2:]))
	switch {
	case b[0] != 0:
		return VerdictNoNetwork
	case size < fixed || size > len(b):
		return VerdictShortLink
	}
	const padded, damaged = 0x20, 0x40
	flags := radiotapFlags(b[:size])
	if flags&damaged != 0 { // bad check sequence: every byte may be wrong
		p.rest(b[size:], wire-size)
		return VerdictNoNetwork
	}
	return ieee80211(p, b[size:], wire-size, flags&padded != 0)
}

// radiotapFlags returns the field Flags of a header. It follows the bitmaps of present fields and the timestamp, which is aligned to 8 bytes.
func radiotapFlags(b []byte) byte {
	const timestamp, flags, more = 1 << 0, 1 << 1, 1 << 31
	present := le32(b[4:])
	at := 8
	for word := present; word&more != 0; at += 4 {
		if len(b) < at+4 {
			return 0
		}
		word = le32(b[at:])
	}
	if present&flags == 0 {
		return 0
	}
	if present&timestamp != 0 {
		at = (at+7)&^7 + 8
	}
	if at >= len(b) {
		return 0
	}
	return b[at]
}

// prism reads LINKTYPE_IEEE802_11_PRISM: 144 bytes, or an AVS header, which some drivers use under the same type.
func prism(p *Packet, b []byte, wire int) Verdict {
	const headLen, avsMagic = 144, 0x80211000
	if len(b) >= 4 && be32(b)&0xfffff000 == avsMagic {
		return avs(p, b, wire)
	}
	p.rest(b, wire)
	if len(b) < headLen {
		return VerdictShortLink
	}
	return ieee80211(p, b[headLen:], wire-headLen, false)
}

// avs reads LINKTYPE_IEEE802_11_AVS: a magic number with the version, the length of the header, big endian.
func avs(p *Packet, b []byte, wire int) Verdict {
	const fixed = 8
	p.rest(b, wire)
	if len(b) < fixed {
		return VerdictShortLink
	}
	size := be32(b[4:])
	if size < fixed || size > uint32(len(b)) {
		return VerdictShortLink
	}
	return ieee80211(p, b[size:], wire-int(size), false)
}

// ppi reads LINKTYPE_PPI: version 0, flags, the length of the header, the link type of what follows, little endian.
func ppi(p *Packet, b []byte, wire int) Verdict {
	const fixed = 8
	p.rest(b, wire)
	if len(b) < fixed {
		return VerdictShortLink
	}
	size, link := int(binary.LittleEndian.Uint16(b[2:])), le32(b[4:])
	switch {
	case b[0] != 0:
		return VerdictNoNetwork
	case size < fixed || size > len(b):
		return VerdictShortLink
	}
	switch b, wire = b[size:], wire-size; link {
	case uint32(LinkIEEE80211):
		return ieee80211(p, b, wire, false)
	case uint32(LinkEthernet):
		return ethernet(p, b, wire, 0)
	}
	return VerdictLinkType
}

// pktap reads LINKTYPE_PKTAP of macOS: the length of the header, the kind of record, the link type of what follows, little
// endian. A link type that is itself such a header is not followed.
func pktap(p *Packet, b []byte, wire int) Verdict {
	const fixed, packetRecord = 12, 1
	p.rest(b, wire)
	if len(b) < fixed {
		return VerdictShortLink
	}
	size, link := le32(b), le32(b[8:])
	switch {
	case size < fixed || size > uint32(len(b)):
		return VerdictShortLink
	case le32(b[4:]) != packetRecord:
		return VerdictNoNetwork
	}
	switch b, wire = b[size:], wire-int(size); {
	case link == uint32(LinkEthernet):
		return ethernet(p, b, wire, 0)
	case link > 0xffff, link == uint32(LinkPKTAP):
		return VerdictLinkType
	}
	return decodeLink(p, LinkType(link), b, wire)
}
