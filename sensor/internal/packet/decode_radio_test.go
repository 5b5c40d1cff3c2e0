// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"encoding/binary"
)

func le32b(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// wifi is a data frame: the two bytes of Frame Control, three addresses, sequence control, then rest.
func wifi(fc0, fc1 byte, a1, a2, a3 MAC, rest ...[]byte) []byte {
	return join([]byte{fc0, fc1, 0x2c, 0}, a1[:], a2[:], a3[:], []byte{0x10, 0}, join(rest...))
}

var (
	snapIPv4 = join([]byte{0xaa, 0xaa, 3, 0, 0, 0}, u16(etherIPv4))
	snapIPv6 = join([]byte{0xaa, 0xaa, 3, 0, 0, 0}, u16(etherIPv6))
	// wifiSYN is from macA through the access point macC to macB.
	wifiSYN = wifi(0x08, wifiToDS, macC, macA, macB, snapIPv4, syn4)
)

// fromAtoB checks for a SYN from macA to macB.
func fromAtoB(p *Packet) bool { return isSYN(p) && p.HasMAC && p.SrcMAC == macA && p.DstMAC == macB }

// macsAlone checks for a frame with MACs only.
func macsAlone(p *Packet) bool {
	return !p.HasIP && p.HasMAC && p.SrcMAC == macA && p.DstMAC == macB && p.Kind == KindOther && len(p.Payload) > 24
}

func noMACs(p *Packet) bool { return !p.HasIP && !p.HasMAC }

func radiotapHeader(present uint32, fields ...[]byte) []byte {
	body := join(fields...)
	return join([]byte{0, 0}, le16(uint16(8+len(body))), le32b(present), body)
}

func ppiHeader(dlt uint32, fields []byte) []byte {
	return join([]byte{0, 0}, le16(uint16(8+len(fields))), le32b(dlt), fields)
}

func pktapHeader(kind, dlt uint32) []byte {
	return join(le32b(108), le32b(kind), le32b(dlt), []byte("en0"), make([]byte, 93))
}

func wifiCases() []decodeCase {
	const qos, qosFrom = 0x88, wifiFromDS
	w, none := LinkIEEE80211, VerdictNoNetwork
	amsdu := func(length int) []byte {
		return join([]byte{0x80, 0}, macB[:], macA[:], u16(uint16(length)), snapIPv6, syn6, bytes.Repeat([]byte{0xee}, 60))
	}
	return []decodeCase{
		{name: "802.11 to the distribution system", link: w, frame: wifiSYN, kind: KindTCP, check: fromAtoB},
		{name: "802.11 from it", link: w, frame: wifi(0x08, wifiFromDS, macB, macC, macA, snapIPv6, syn6, []byte{1, 2, 3, 4}), kind: KindTCP, check: fromAtoB},
		{name: "802.11 between stations", link: w, frame: wifi(0x08, 0, macB, macA, macC, snapIPv4, syn4), kind: KindTCP, check: fromAtoB},
		{name: "802.11 between access points", link: w, frame: wifi(0x08, 3, macC, macD, macB, macA[:], snapIPv4, syn4), kind: KindTCP, check: fromAtoB},
		{name: "802.11 QoS", link: w, frame: wifi(qos, wifiToDS, macC, macA, macB, []byte{6, 0}, snapIPv4, syn4), kind: KindTCP, check: fromAtoB},
		{name: "802.11 QoS, HT control", link: w, frame: wifi(qos, qosFrom|wifiOrder, macB, macC, macA, []byte{0, 0}, u32(7), snapIPv4, syn4), kind: KindTCP, check: fromAtoB},
		{name: "802.11 QoS, four addresses, HT control", link: w, frame: wifi(qos, 3|wifiOrder, macC, macD, macB, macA[:], []byte{0, 0}, u32(7), snapIPv4, syn4), kind: KindTCP, check: fromAtoB},
		{name: "802.11 aggregate", link: w, frame: wifi(qos, wifiToDS, macC, macD, macD, amsdu(8+len(syn6))), kind: KindTCP, check: func(p *Packet) bool {
			return fromAtoB(p) && p.V6 && p.PayloadLen == 0 && p.IPBytes == uint32(len(syn6))
		}},
		{name: "802.11 aggregate, subframe of no length", link: w, frame: wifi(qos, wifiToDS, macC, macD, macD, amsdu(0)), verdict: VerdictShortLLC},
		{name: "802.11 ARP", link: w, frame: wifi(0x08, wifiToDS, macC, macA, macB, snapIPv4[:6], u16(etherARP), u16(1), u16(etherIPv4), []byte{6, 4}, make([]byte, 24)), kind: KindARP},
		{name: "802.11 VLAN", link: w, frame: wifi(0x08, wifiToDS, macC, macA, macB, snapIPv4[:6], u16(etherVLAN), tagged(5, etherIPv4, syn4)), kind: KindTCP, vlans: []uint16{5}, check: fromAtoB},
		{name: "802.11 encrypted", link: w, frame: wifi(0x08, wifiToDS|wifiProtected, macC, macA, macB, snapIPv4, syn4), verdict: none, check: macsAlone},
		{name: "802.11 first fragment", link: w, frame: wifi(0x08, wifiToDS|wifiMoreFrags, macC, macA, macB, snapIPv4, syn4), verdict: none, check: macsAlone},
		{name: "802.11 last fragment", link: w, frame: patched(wifiSYN, 22, 0x12), verdict: none, check: macsAlone},
		{name: "802.11 null", link: w, frame: wifi(0x48, wifiToDS, macC, macA, macB, []byte{9}), verdict: none, check: macsAlone},
		{name: "802.11 beacon", link: w, frame: wifi(0x80, 0, macB, macA, macA, make([]byte, 40)), verdict: none, check: noMACs},
		{name: "802.11 acknowledgement", link: w, frame: []byte{0xd4, 0, 0, 0, 2, 0, 0, 0, 0, 1}, verdict: none, check: noMACs},
		{name: "802.11 of another version", link: w, frame: patched(wifiSYN, 0, 0x09), verdict: none, check: noMACs},
		{name: "802.11 short", link: w, frame: wifiSYN[:23], verdict: VerdictShortLink, check: noMACs},
		{name: "802.11 cut in the fourth address", link: w, frame: wifi(qos, 3, macC, macD, macB, macA[:5]), verdict: VerdictShortLink},
		{name: "802.11 cut before QoS", link: w, frame: wifi(qos, wifiToDS, macC, macA, macB), verdict: VerdictShortLink},
		{name: "802.11 cut in an aggregate", link: w, frame: wifi(qos, wifiToDS, macC, macA, macB, amsdu(9)[:12]), verdict: VerdictShortLink},
		{name: "802.11 empty", link: w, verdict: VerdictShortLink},
	}
}

func radioCases() []decodeCase {
	const flags, timestamp, more = 2, 1, 1 << 31
	padded := join(wifi(0x88, wifiToDS, macC, macA, macB, []byte{0, 0}), []byte{0, 0}, snapIPv4, syn4)
	short := VerdictShortLink
	return []decodeCase{
		{name: "radiotap", link: LinkRadiotap, frame: join(radiotapHeader(0), wifiSYN), kind: KindTCP, check: fromAtoB},
		{name: "radiotap with check sequence", link: LinkRadiotap, frame: join(radiotapHeader(flags, []byte{0x10}), wifiSYN, u32(0)), kind: KindTCP, check: fromAtoB},
		{name: "radiotap with padding", link: LinkRadiotap, frame: join(radiotapHeader(flags, []byte{0x20}), padded), kind: KindTCP, check: fromAtoB},
		{name: "radiotap, timestamp before the padding flag", link: LinkRadiotap, frame: join(radiotapHeader(flags|timestamp|more, le32b(0), make([]byte, 4+8), []byte{0x20}), padded), kind: KindTCP, check: fromAtoB},
		{name: "radiotap, damaged", link: LinkRadiotap, frame: join(radiotapHeader(flags, []byte{0x50}), wifiSYN), verdict: VerdictNoNetwork, check: noMACs},
		{name: "radiotap, endless bitmaps", link: LinkRadiotap, frame: join(radiotapHeader(more|flags, bytes.Repeat([]byte{0xff}, 64)), wifiSYN), kind: KindTCP, check: fromAtoB},
		{name: "radiotap of version 1", link: LinkRadiotap, frame: patched(join(radiotapHeader(0), wifiSYN), 0, 1), verdict: VerdictNoNetwork},
		{name: "radiotap longer than the frame", link: LinkRadiotap, frame: patched(join(radiotapHeader(0), wifiSYN), 2, 0xff, 0xff), verdict: short},
		{name: "radiotap shorter than itself", link: LinkRadiotap, frame: patched(join(radiotapHeader(0), wifiSYN), 2, 7), verdict: short},
		{name: "short radiotap", link: LinkRadiotap, frame: make([]byte, 7), verdict: short},
		{name: "Prism", link: LinkPrism, frame: join(le32b(0x44), le32b(144), make([]byte, 136), wifiSYN), kind: KindTCP, check: fromAtoB},
		{name: "AVS as Prism", link: LinkPrism, frame: join(u32(0x80211001), u32(64), make([]byte, 56), wifiSYN), kind: KindTCP, check: fromAtoB},
		{name: "short Prism", link: LinkPrism, frame: make([]byte, 143), verdict: short},
		{name: "AVS", link: LinkAVS, frame: join(u32(0x80211002), u32(64), make([]byte, 56), wifiSYN), kind: KindTCP, check: fromAtoB},
		{name: "AVS longer than the frame", link: LinkAVS, frame: join(u32(0x80211001), u32(0xffffffff), wifiSYN), verdict: short},
		{name: "short AVS", link: LinkAVS, frame: make([]byte, 7), verdict: short},
		{name: "PPI of 802.11", link: LinkPPI, frame: join(ppiHeader(105, make([]byte, 24)), wifiSYN), kind: KindTCP, check: fromAtoB},
		{name: "PPI of ethernet", link: LinkPPI, frame: join(ppiHeader(1, nil), ethFrame(etherIPv6, syn6)), kind: KindTCP, check: fromAtoB},
		{name: "PPI of PPI", link: LinkPPI, frame: join(ppiHeader(192, nil), ppiHeader(1, nil), ethFrame(etherIPv6, syn6)), verdict: VerdictLinkType},
		{name: "PPI of version 1", link: LinkPPI, frame: patched(ppiHeader(1, nil), 0, 1), verdict: VerdictNoNetwork},
		{name: "PPI longer than the frame", link: LinkPPI, frame: patched(ppiHeader(1, nil), 2, 9), verdict: short},
		{name: "short PPI", link: LinkPPI, frame: make([]byte, 7), verdict: short},
	}
}

func switchCases() []decodeCase {
	between := func(tag []byte, et uint16, b []byte) []byte { return join(macB[:], macA[:], tag, u16(et), b) }
	dsaTagOf := func(first byte) []byte { return []byte{first, 0x0a, 0x01, 0x02} }
	edsaTagOf := func(first byte) []byte { return join(u16(etherEDSA), []byte{0, 0}, dsaTagOf(first)) }
	nested := bytes.Repeat(edsaTagOf(0xe0), 12)
	short := VerdictShortLink
	return []decodeCase{
		{name: "DSA", link: LinkDSA, frame: between(dsaTagOf(0xc0), etherIPv4, syn4), kind: KindTCP, check: fromAtoB},
		{name: "DSA in place of a VLAN tag", link: LinkDSA, frame: between(dsaTagOf(0xe0), etherIPv6, syn6), kind: KindTCP, vlans: []uint16{0x102}, check: fromAtoB},
		{name: "DSA before a VLAN tag", link: LinkDSA, frame: between(dsaTagOf(0x40), etherVLAN, tagged(6, etherIPv4, syn4)), kind: KindTCP, vlans: []uint16{6}, check: fromAtoB},
		{name: "short DSA", link: LinkDSA, frame: make([]byte, 17), verdict: short},
		{name: "EDSA", link: LinkEDSA, frame: between(edsaTagOf(0x40), etherIPv4, syn4), kind: KindTCP, check: fromAtoB},
		{name: "EDSA on ethernet, in place of a VLAN tag", link: LinkEthernet, frame: between(edsaTagOf(0xe0), etherIPv4, syn4), kind: KindTCP, vlans: []uint16{0x102}, check: fromAtoB},
		{name: "short EDSA", link: LinkEDSA, frame: between(edsaTagOf(0x40), etherIPv4, nil)[:21], verdict: VerdictShortVLAN},
		{name: "endless EDSA", link: LinkEDSA, frame: between(nested, etherIPv4, syn4), verdict: VerdictNesting, vlans: []uint16{0x102, 0x102, 0x102, 0x102}},
		{name: "Broadcom", link: LinkBroadcom, frame: between(dsaTagOf(0x20), etherIPv4, syn4), kind: KindTCP, check: fromAtoB},
		{name: "short Broadcom", link: LinkBroadcom, frame: make([]byte, 17), verdict: short},
		{name: "Broadcom before the frame", link: LinkBroadcomPrepended, frame: join(dsaTagOf(0x20), ethFrame(etherIPv4, syn4)), kind: KindTCP, check: fromAtoB},
		{name: "short Broadcom before the frame", link: LinkBroadcomPrepended, frame: make([]byte, 3), verdict: short},
		{name: "PKTAP of ethernet", link: LinkPKTAP, frame: join(pktapHeader(1, 1), ethFrame(etherIPv4, syn4)), kind: KindTCP, check: fromAtoB},
		{name: "PKTAP of raw IP", link: LinkPKTAP, frame: join(pktapHeader(1, 12), syn6), kind: KindTCP, check: isSYN},
		{name: "PKTAP of radiotap", link: LinkPKTAP, frame: join(pktapHeader(1, 127), radiotapHeader(0), wifiSYN), kind: KindTCP, check: fromAtoB},
		{name: "PKTAP of PKTAP", link: LinkPKTAP, frame: join(pktapHeader(1, 258), pktapHeader(1, 1), ethFrame(etherIPv4, syn4)), verdict: VerdictLinkType},
		{name: "PKTAP of a link type out of range", link: LinkPKTAP, frame: join(pktapHeader(1, 1<<16|1), ethFrame(etherIPv4, syn4)), verdict: VerdictLinkType},
		{name: "PKTAP of another record", link: LinkPKTAP, frame: join(pktapHeader(2, 1), ethFrame(etherIPv4, syn4)), verdict: VerdictNoNetwork},
		{name: "PKTAP longer than the frame", link: LinkPKTAP, frame: patched(pktapHeader(1, 1), 0, 0xff, 0xff, 0xff, 0xff), verdict: short},
		{name: "short PKTAP", link: LinkPKTAP, frame: make([]byte, 11), verdict: short},
	}
}
