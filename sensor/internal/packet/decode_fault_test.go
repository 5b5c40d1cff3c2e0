// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"encoding/binary"
)

// manyTags is a UDP packet with n VLAN tags.
func manyTags(n int) []byte {
	b, et := ip4(protoUDP, udpDatagram(1, 2, nil)), uint16(etherIPv4)
	for range n {
		b, et = tagged(1, et, b), etherVLAN
	}
	return ethFrame(et, b)
}

// manyIPIP is a UDP packet in n IP packets.
func manyIPIP(n int) []byte {
	b := ip4(protoUDP, udpDatagram(1, 2, nil))
	for range n {
		b = ip4(protoIPv4, b)
	}
	return ethFrame(etherIPv4, b)
}

// manyLabels is a label stack without an end.
func manyLabels(n int) (b []byte) {
	for range n {
		b = append(b, u32(100<<12)...)
	}
	return b
}

// verdictCases are frames with one error each.
func verdictCases() []decodeCase {
	return append(append(linkFaults(), networkFaults()...), transportFaults()...)
}

func linkFaults() []decodeCase {
	e := LinkEthernet
	return []decodeCase{
		{name: "unknown link", link: unknownLink, frame: syn4, verdict: VerdictLinkType},
		{name: "empty ethernet", link: e, verdict: VerdictShortLink},
		{name: "short ethernet", link: e, frame: make([]byte, 13), verdict: VerdictShortLink},
		{name: "empty raw", link: LinkRaw, verdict: VerdictShortLink},
		{name: "short null", link: LinkNull, frame: []byte{2}, verdict: VerdictShortLink},
		{name: "short SLL", link: LinkLinuxSLL, frame: make([]byte, 15), verdict: VerdictShortLink},
		{name: "short SLL2", link: LinkSLL2, frame: make([]byte, 19), verdict: VerdictShortLink},
		{name: "short HDLC", link: LinkCiscoHDLC, frame: make([]byte, 3), verdict: VerdictShortLink},
		{name: "short NFLOG", link: LinkNFLOG, frame: make([]byte, 3), verdict: VerdictShortLink},
		{name: "NFLOG value of length 0", link: LinkNFLOG, frame: make([]byte, 40), verdict: VerdictShortLink},
		{name: "NFLOG value beyond the frame", link: LinkNFLOG, frame: join(make([]byte, 4), le16(90), le16(1)), verdict: VerdictShortLink},
		{name: "short MACsec", link: e, frame: ethFrame(etherMACsec, make([]byte, 7)), verdict: VerdictShortLink},
		{name: "endless MACsec", link: e, frame: ethFrame(etherMACsec, bytes.Repeat(join(make([]byte, 6), u16(etherMACsec)), 20)), verdict: VerdictNesting},
		{name: "short NSH", link: e, frame: ethFrame(etherNSH, []byte{0, 6, 2, 1, 0, 0, 1, 0}), verdict: VerdictShortLink},
		{name: "short tag", link: e, frame: ethFrame(etherVLAN, []byte{0, 1, 8}), verdict: VerdictShortVLAN},
		{name: "short second tag", link: e, frame: ethFrame(etherVLAN, tagged(1, etherVLAN, []byte{0})), verdict: VerdictShortVLAN, vlans: []uint16{1}},
		{name: "short PBB", link: e, frame: ethFrame(etherPBB, []byte{0, 1, 8}), verdict: VerdictShortVLAN},
		{name: "eight tags", link: e, frame: manyTags(8), kind: KindUDP, vlans: []uint16{1, 1, 1, 1}},
		{name: "nine tags", link: e, frame: manyTags(9), verdict: VerdictNesting, vlans: []uint16{1, 1, 1, 1}},
		{name: "short LLC", link: e, frame: ethFrame(2, []byte{0x42, 0x42}), verdict: VerdictShortLLC},
		{name: "short SNAP", link: e, frame: ethFrame(5, []byte{0xaa, 0xaa, 3, 0, 0}), verdict: VerdictShortLLC},
		{name: "short MPLS", link: e, frame: ethFrame(etherMPLS, []byte{0, 1, 8}), verdict: VerdictShortMPLS},
		{name: "endless MPLS", link: e, frame: ethFrame(etherMPLS, manyLabels(3)), verdict: VerdictShortMPLS},
		{name: "deep MPLS", link: e, frame: ethFrame(etherMPLS, manyLabels(40)), verdict: VerdictNesting},
		{name: "short PPP", link: LinkPPP, frame: []byte{0xff, 3}, verdict: VerdictShortPPP},
		{name: "shorter PPP", link: LinkPPP, frame: []byte{0}, verdict: VerdictShortPPP},
		{name: "short PPPoE", link: e, frame: ethFrame(etherPPPoE, []byte{0x11, 0}), verdict: VerdictShortPPP},
		{name: "PPPoE version", link: e, frame: ethFrame(etherPPPoE, join([]byte{0x21, 0, 0, 1, 0, 2, 0, 0x21}, syn4)), verdict: VerdictBadPPPoE},
		{name: "short ARP", link: e, frame: ethFrame(etherARP, []byte{0, 1, 8, 0, 6, 4, 0, 1, 2}), verdict: VerdictShortARP},
		{name: "shorter ARP", link: e, frame: ethFrame(etherARP, []byte{0, 1}), verdict: VerdictShortARP},
	}
}

func networkFaults() []decodeCase {
	var chain []byte
	for range maxExtensions {
		chain = append(chain, ext(protoDestination)...)
	}
	badJumbo := ip6(protoHopByHop, join([]byte{protoTCP, 0, 0xc2, 4}, u32(90000), synSegment))
	binary.BigEndian.PutUint16(badJumbo[4:], 0)
	e := LinkEthernet
	return []decodeCase{
		{name: "short IPv4", link: e, frame: ethFrame(etherIPv4, syn4[:19]), verdict: VerdictShortIPv4},
		{name: "short IPv4 options", link: e, frame: ethFrame(etherIPv4, patched(syn4[:30], 0, 0x4f)), verdict: VerdictIPv4Length},
		{name: "cut IPv4 options", link: e, frame: ethFrame(etherIPv4, patched(syn4[:30], 0, 0x4c, 0, 2, 0)), verdict: VerdictShortIPv4},
		{name: "short IPv6", link: e, frame: ethFrame(etherIPv6, syn6[:39]), verdict: VerdictShortIPv6},
		{name: "IPv6 said IPv4", link: e, frame: ethFrame(etherIPv4, syn6), verdict: VerdictIPVersion},
		{name: "IPv4 said IPv6", link: e, frame: ethFrame(etherIPv6, syn4), verdict: VerdictIPVersion},
		{name: "raw version 5", link: LinkRaw, frame: patched(syn4, 0, 0x55), verdict: VerdictIPVersion},
		{name: "IHL 4", link: e, frame: ethFrame(etherIPv4, patched(syn4, 0, 0x44)), verdict: VerdictIPv4IHL},
		{name: "total length 19", link: e, frame: ethFrame(etherIPv4, patched(syn4, 2, 0, 19)), verdict: VerdictIPv4Length},
		{name: "jumbo beyond the frame", link: e, frame: ethFrame(etherIPv6, badJumbo), verdict: VerdictIPv6Length},
		{name: "extension cut", link: e, frame: eth6(protoDestination, ext(protoTCP)[:5]), verdict: VerdictIPv6Extension, kind: KindIP},
		{name: "extension longer than the packet", link: e, frame: eth6(protoDestination, patched(ext(protoTCP), 1, 200)), verdict: VerdictIPv6Extension, kind: KindIP},
		{name: "extension chain", link: e, frame: eth6(protoDestination, join(chain, synSegment)), verdict: VerdictIPv6Chain, kind: KindIP},
	}
}

func transportFaults() []decodeCase {
	fourIPIP := make([]Tunnel, MaxTunnels)
	for i := range fourIPIP {
		fourIPIP[i] = Tunnel{Type: TunnelIPIP, HasOuter: true}
	}
	ports := func(p *Packet) bool { return p.SrcPort == 1234 && p.DstPort == 80 }
	e := LinkEthernet
	return []decodeCase{
		{name: "empty fragment", link: e, frame: ethFrame(etherIPv4, ip4Frag(1, 8, true, protoUDP, nil)), verdict: VerdictFragment, kind: KindUDP},
		{name: "odd fragment", link: e, frame: ethFrame(etherIPv4, ip4Frag(1, 8, true, protoUDP, make([]byte, 9))), verdict: VerdictFragment, kind: KindUDP},
		{name: "fragment beyond 65535", link: e, frame: ethFrame(etherIPv4, ip4Frag(1, 65528, false, protoUDP, make([]byte, 9))), verdict: VerdictFragment, kind: KindUDP},
		{name: "tiny first fragment", link: e, frame: ethFrame(etherIPv4, ip4Frag(1, 0, true, protoTCP, synSegment[:8])), verdict: VerdictShortTCP, kind: KindTCP, check: ports},
		{name: "short TCP", link: e, frame: eth4(protoTCP, synSegment[:19]), verdict: VerdictShortTCP, kind: KindTCP, check: ports},
		{name: "shorter TCP", link: e, frame: eth4(protoTCP, synSegment[:3]), verdict: VerdictShortTCP, kind: KindTCP},
		{name: "TCP offset 4", link: e, frame: eth4(protoTCP, patched(synSegment, 12, 0x40)), verdict: VerdictTCPOffset, kind: KindTCP, check: ports},
		{name: "TCP offset beyond", link: e, frame: eth4(protoTCP, patched(synSegment, 12, 0xf0)), verdict: VerdictTCPOffset, kind: KindTCP, check: ports},
		{name: "short UDP", link: e, frame: eth4(protoUDP, synSegment[:7]), verdict: VerdictShortUDP, kind: KindUDP, check: ports},
		{name: "UDP length 7", link: e, frame: eth4(protoUDP, patched(udpDatagram(1234, 80, nil), 4, 0, 7)), verdict: VerdictUDPLength, kind: KindUDP, check: ports},
		{name: "UDP length beyond", link: e, frame: eth4(protoUDP, patched(udpDatagram(1234, 80, nil), 4, 0, 9)), verdict: VerdictUDPLength, kind: KindUDP, check: ports},
		{name: "short SCTP", link: e, frame: eth4(protoSCTP, synSegment[:11]), verdict: VerdictShortSCTP, kind: KindSCTP, check: ports},
		{name: "short ICMP", link: e, frame: eth4(protoICMP, []byte{8, 0, 0}), verdict: VerdictShortICMP, kind: KindICMP},
		{name: "short ICMPv6", link: e, frame: eth6(protoICMP6, []byte{128}), verdict: VerdictShortICMP, kind: KindICMP6},
		{name: "short GRE", link: e, frame: eth4(protoGRE, []byte{0, 0, 8}), verdict: VerdictShortTunnel, kind: KindIP},
		{name: "short GRE key", link: e, frame: eth4(protoGRE, []byte{0x20, 0, 8, 0, 0}), verdict: VerdictShortTunnel, kind: KindIP},
		{name: "GRE version 2", link: e, frame: eth4(protoGRE, join([]byte{0, 2, 8, 0}, syn4)), verdict: VerdictBadTunnel, kind: KindIP},
		{name: "GRE endless routes", link: e, frame: eth4(protoGRE, join([]byte{0x40, 0, 8, 0}, make([]byte, 4), []byte{0, 1, 0, 0})), verdict: VerdictBadTunnel, kind: KindIP},
		{name: "eight IP in IP", link: e, frame: manyIPIP(8), kind: KindUDP, tunnels: fourIPIP},
		{name: "nine IP in IP", link: e, frame: manyIPIP(9), verdict: VerdictNesting, kind: KindIP, tunnels: fourIPIP},
	}
}
