// SPDX-License-Identifier: Apache-2.0

package packet

// Bits of the second byte of Frame Control (IEEE 802.11-2020 9.2.4.1).
const (
	wifiToDS      = 0x01
	wifiFromDS    = 0x02
	wifiMoreFrags = 0x04
	wifiProtected = 0x40
	wifiOrder     = 0x80 // of a QoS frame: HT Control follows
)

// ieee80211 reads an unencrypted and unfragmented data frame of IEEE 802.11 (9.3.2.1), which carries LLC. Of an aggregate (A-MSDU) it reads
// the first subframe. Other frames have no readable network layer. The length of IP cuts off a frame check sequence. padded: the header is
// padded to a multiple of 4 bytes, as some adapters do.
func ieee80211(p *Packet, b []byte, wire int, padded bool) Verdict {
	const typeMask, data, null, plain = 0x0f, 0x08, 0x40, 24
	p.rest(b, wire)
	if len(b) < 2 {
		return VerdictShortLink
	}
	if b[0]&typeMask != data { // version 0, type 2
		return VerdictNoNetwork
	}
	if len(b) < plain {
		return VerdictShortLink
	}
	size, aggregate := wifiHeader(b)
	if len(b) < size {
		return VerdictShortLink
	}
	p.wifiMACs(b)
	const fragment = 0x0f
	if b[0]&null != 0 || b[1]&(wifiProtected|wifiMoreFrags) != 0 || b[22]&fragment != 0 {
		return VerdictNoNetwork
	}
	if padded {
		size = min((size+3)&^3, len(b))
	}
	b, wire = b[size:], wire-size
	if aggregate {
		return wifiSubframe(p, b, wire)
	}
	return llc(p, b, wire, 0)
}

// wifiHeader returns the length of the header of a data frame, and whether an aggregate follows. b holds at least 24 bytes; if the QoS field
// is beyond b, so is the end of the header.
func wifiHeader(b []byte) (size int, aggregate bool) {
	const qos, amsdu = 0x80, 0x80
	size = 24
	if b[1]&(wifiToDS|wifiFromDS) == wifiToDS|wifiFromDS {
		size += 6
	}
	if b[0]&qos == 0 {
		return size, false
	}
	aggregate = len(b) > size && b[size]&amsdu != 0
	size += 2
	if b[1]&wifiOrder != 0 {
		size += 4
	}
	return size, aggregate
}

// wifiMACs sets the addresses of the two stations, without those of the access points between them (table 9-30).
func (p *Packet) wifiMACs(b []byte) {
	first, second, third := MAC(b[4:10]), MAC(b[10:16]), MAC(b[16:22])
	p.HasMAC = true
	switch b[1] & (wifiToDS | wifiFromDS) {
	case 0:
		p.DstMAC, p.SrcMAC = first, second
	case wifiFromDS:
		p.DstMAC, p.SrcMAC = first, third
	case wifiToDS:
		p.DstMAC, p.SrcMAC = third, second
	default:
		p.DstMAC, p.SrcMAC = third, MAC(b[24:30])
	}
}

// wifiSubframe reads the first subframe of an A-MSDU (9.3.2.2.2): destination, source, length.
func wifiSubframe(p *Packet, b []byte, wire int) Verdict {
	const headLen = 14
	if len(b) < headLen {
		return VerdictShortLink
	}
	p.DstMAC, p.SrcMAC = MAC(b[0:6]), MAC(b[6:12])
	return llc(p, b[headLen:], min(wire-headLen, int(be16(b[12:]))), 0)
}
