// SPDX-License-Identifier: Apache-2.0

package packet

import "encoding/binary"

// patched is a copy of b with bytes replaced from at.
func patched(b []byte, at int, with ...byte) []byte {
	b = append([]byte(nil), b...)
	copy(b[at:], with)
	return b
}

func networkCases() []decodeCase {
	eth4 := func(proto uint8, b []byte) []byte { return ethFrame(etherIPv4, ip4(proto, b)) }
	eth6 := func(next uint8, b []byte) []byte { return ethFrame(etherIPv6, ip6(next, b)) }
	withOptions := join([]byte{0x46, 0}, u16(24+28), make([]byte, 5), []byte{protoTCP, 0, 0}, hdr.src[:], hdr.dst[:], []byte{1, 1, 1, 0}, synSegment)
	withOptions[8] = 1
	offload := func(b []byte, at int) []byte { return patched(b, at, 0, 0) }
	big := func(n int) []byte { return tcpSegment(1, 2, ACK, nil, n) }
	jumbo := ip6(protoHopByHop, join([]byte{protoTCP, 0, 0xc2, 4}, u32(8+20+70000), big(70000)))
	binary.BigEndian.PutUint16(jumbo[4:], 0)
	ah := func(next uint8) []byte { return join([]byte{next, 4, 0, 0}, make([]byte, 20)) }
	every := join(ext(protoRouting), ext(protoDestination), ext(protoAH)[:0], ah(protoHIP), ext(protoShim6), ext(protoMobility), ext(protoTCP), synSegment)
	every[0], every[8] = protoDestination, protoAH
	neighbour := join([]byte{135, 0, 0, 0}, make([]byte, 20), []byte{1, 1}, macA[:])
	payload := func(n uint32) func(*Packet) bool {
		return func(p *Packet) bool { return p.PayloadLen == n && int(n) >= len(p.Payload) }
	}
	return []decodeCase{
		{name: "IPv4 options", link: LinkEthernet, frame: ethFrame(etherIPv4, withOptions), kind: KindTCP, check: isSYN},
		{name: "IPv4 without total length", link: LinkEthernet, frame: ethFrame(etherIPv4, offload(ip4(protoTCP, big(5000)), 2)), kind: KindTCP, check: func(p *Packet) bool {
			return p.PayloadLen == 5000 && p.IPBytes == 5040
		}},
		{name: "IPv6 without payload length", link: LinkEthernet, frame: ethFrame(etherIPv6, offload(ip6(protoTCP, big(5000)), 4)), kind: KindTCP, check: payload(5000)},
		{name: "jumbogram", link: LinkEthernet, frame: ethFrame(etherIPv6, jumbo), kind: KindTCP, check: func(p *Packet) bool {
			return p.PayloadLen == 70000 && p.IPBytes == 40+8+20+70000
		}},
		{name: "total length beyond the frame", link: LinkEthernet, frame: patched(ethFrame(etherIPv4, syn4), 16, 4, 0), kind: KindTCP, check: func(p *Packet) bool {
			return p.IPBytes == 1024 && p.PayloadLen == 1024-48 && p.Truncated && len(p.Payload) == 0
		}},
		{name: "UDP", link: LinkEthernet, frame: eth4(protoUDP, udpDatagram(5, 53, []byte("abc"))), kind: KindUDP, check: func(p *Packet) bool {
			return p.SrcPort == 5 && p.DstPort == 53 && string(p.Payload) == "abc" && p.PayloadLen == 3
		}},
		{name: "UDP without length", link: LinkEthernet, frame: eth4(protoUDP, offload(udpDatagram(5, 53, []byte("abc")), 4)), kind: KindUDP, check: payload(3)},
		{name: "UDP shorter than IP", link: LinkEthernet, frame: eth4(protoUDP, join(udpDatagram(5, 53, []byte("abc")), []byte("options"))), kind: KindUDP, check: payload(3)},
		{name: "SCTP", link: LinkEthernet, frame: eth4(protoSCTP, join(u16(7), u16(8), u32(1), u32(2), []byte{1, 0, 0, 4})), kind: KindSCTP, check: func(p *Packet) bool {
			return p.SrcPort == 7 && p.DstPort == 8 && p.PayloadLen == 4 && p.Proto == protoSCTP
		}},
		{name: "ICMP echo", link: LinkEthernet, frame: eth4(protoICMP, join([]byte{8, 0, 0, 0}, u16(77), u16(1), []byte("ping"))), kind: KindICMP, check: func(p *Packet) bool {
			return p.SrcPort == 8 && p.DstPort == 0 && p.ICMPID == 77 && string(p.Payload) == "ping" && p.PayloadLen == 4
		}},
		{name: "ICMP unreachable", link: LinkEthernet, frame: eth4(protoICMP, join([]byte{3, 1, 0, 0, 9, 9, 9, 9}, syn4)), kind: KindICMP, check: func(p *Packet) bool {
			return p.SrcPort == 3 && p.DstPort == 1 && p.ICMPID == 0 && p.NumTunnels == 0
		}},
		{name: "ICMPv6 echo reply", link: LinkEthernet, frame: eth6(protoICMP6, join([]byte{129, 0, 0, 0}, u16(78), u16(1))), kind: KindICMP6, check: func(p *Packet) bool {
			return p.SrcPort == 129 && p.ICMPID == 78 && p.Body == nil
		}},
		{name: "neighbour solicitation", link: LinkEthernet, frame: eth6(protoICMP6, neighbour), kind: KindICMP6, check: func(p *Packet) bool {
			return string(p.Body) == string(neighbour)
		}},
		{name: "other protocol", link: LinkEthernet, frame: eth4(89, []byte("ospf")), kind: KindIP, check: func(p *Packet) bool {
			return p.Proto == 89 && string(p.Payload) == "ospf" && p.HasIP
		}},
		{name: "AH in IPv4", link: LinkEthernet, frame: eth4(protoAH, join(ah(protoTCP), synSegment)), kind: KindTCP, check: func(p *Packet) bool {
			return isSYN(p) && p.Proto == protoTCP
		}},
		{name: "every extension header", link: LinkEthernet, frame: eth6(protoRouting, every), kind: KindTCP, check: func(p *Packet) bool {
			return isSYN(p) && p.Proto == protoTCP
		}},
		{name: "mobility message", link: LinkEthernet, frame: eth6(protoMobility, ext(protoNone)), kind: KindIP, check: func(p *Packet) bool {
			return p.Proto == protoMobility && p.PayloadLen == 8
		}},
		{name: "no next header", link: LinkEthernet, frame: eth6(protoNone, nil), kind: KindIP, check: func(p *Packet) bool {
			return p.Proto == protoNone && p.IPBytes == 40
		}},
		{name: "atomic fragment", link: LinkEthernet, frame: eth6(protoFragment, join(fragHeader(protoTCP, 5, 0, false), synSegment)), kind: KindTCP, check: func(p *Packet) bool {
			return isSYN(p) && p.Frag == FragNone
		}},
		{name: "first fragment", link: LinkEthernet, frame: ethFrame(etherIPv4, ip4Frag(5, 0, true, protoUDP, udpDatagram(5, 6, make([]byte, 1000))[:64])), kind: KindUDP, check: func(p *Packet) bool {
			return p.Frag == FragFirst && p.FragMore && p.FragID == 5 && p.FragLen == 64 && len(p.Body) == 64 && p.PayloadLen == 56 && p.DstPort == 6
		}},
		{name: "later fragment", link: LinkEthernet, frame: ethFrame(etherIPv4, ip4Frag(5, 64, false, protoUDP, make([]byte, 61))), kind: KindUDP, check: func(p *Packet) bool {
			return p.Frag == FragLater && !p.FragMore && p.FragOff == 64 && p.FragLen == 61 && p.PayloadLen == 61 && p.SrcPort == 0
		}},
		{name: "first IPv6 fragment", link: LinkEthernet, frame: eth6(protoFragment, join(fragHeader(protoDestination, 0x12345678, 0, true), ext(protoUDP), udpDatagram(5, 6, make([]byte, 64)))), kind: KindUDP, check: func(p *Packet) bool {
			return p.Frag == FragFirst && p.FragID == 0x12345678 && p.FragNext == protoDestination && p.FragLen == 80 && p.DstPort == 6 && p.PayloadLen == 64
		}},
		{name: "later IPv6 fragment", link: LinkEthernet, frame: eth6(protoFragment, join(fragHeader(protoUDP, 9, 80, true), make([]byte, 16))), kind: KindUDP, check: func(p *Packet) bool {
			return p.Frag == FragLater && p.FragMore && p.FragOff == 80 && p.PayloadLen == 16
		}},
		{name: "a fragment of a tunnel stays a fragment", link: LinkEthernet, frame: ethFrame(etherIPv4, ip4Frag(5, 0, true, protoIPv4, syn4)), kind: KindIP, check: func(p *Packet) bool {
			return p.Frag == FragFirst && p.Proto == protoIPv4
		}},
		{name: "TCP options end", link: LinkEthernet, frame: eth4(protoTCP, tcpSegment(1, 2, SYN, []byte{0, 2, 4, 5}, 0)), kind: KindTCP, check: func(p *Packet) bool {
			return p.MSS == 0 && p.TCPOptLen == 4
		}},
		{name: "TCP option of length 0", link: LinkEthernet, frame: eth4(protoTCP, tcpSegment(1, 2, SYN, []byte{5, 0, 2, 4, 5, 5, 1, 1}, 0)), kind: KindTCP, check: func(p *Packet) bool { return p.MSS == 0 }},
		{name: "TCP window scale above 14", link: LinkEthernet, frame: eth4(protoTCP, tcpSegment(1, 2, SYN, []byte{3, 3, 200, 1}, 0)), kind: KindTCP, check: func(p *Packet) bool { return p.WindowScale == 15 }},
	}
}

// verdictCases are frames with one fault each.
func verdictCases() []decodeCase {
	eth4 := func(proto uint8, b []byte) []byte { return ethFrame(etherIPv4, ip4(proto, b)) }
	eth6 := func(next uint8, b []byte) []byte { return ethFrame(etherIPv6, ip6(next, b)) }
	tags := func(n int) (b []byte) {
		b = ip4(protoUDP, udpDatagram(1, 2, nil))
		et := uint16(etherIPv4)
		for range n {
			b, et = tagged(1, et, b), etherVLAN
		}
		return ethFrame(et, b)
	}
	nested := func(n int) []byte {
		b := ip4(protoUDP, udpDatagram(1, 2, nil))
		for range n {
			b = ip4(protoIPv4, b)
		}
		return ethFrame(etherIPv4, b)
	}
	var chain []byte
	for range maxExtensions {
		chain = append(chain, ext(protoDestination)...)
	}
	badJumbo := ip6(protoHopByHop, join([]byte{protoTCP, 0, 0xc2, 4}, u32(90000), synSegment))
	binary.BigEndian.PutUint16(badJumbo[4:], 0)
	labels := func(n int) (b []byte) {
		for range n {
			b = append(b, u32(100<<12)...)
		}
		return b
	}
	fourIPIP := make([]Tunnel, MaxTunnels)
	for i := range fourIPIP {
		fourIPIP[i] = Tunnel{Type: TunnelIPIP, HasOuter: true}
	}
	ports := func(p *Packet) bool { return p.SrcPort == 1234 && p.DstPort == 80 }
	e := LinkEthernet
	return []decodeCase{
		{name: "unknown link", link: 127, frame: syn4, verdict: VerdictLinkType},
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
		{name: "short tag", link: e, frame: ethFrame(etherVLAN, []byte{0, 1, 8}), verdict: VerdictShortVLAN},
		{name: "short second tag", link: e, frame: ethFrame(etherVLAN, tagged(1, etherVLAN, []byte{0})), verdict: VerdictShortVLAN, vlans: []uint16{1}},
		{name: "short PBB", link: e, frame: ethFrame(etherPBB, []byte{0, 1, 8}), verdict: VerdictShortVLAN},
		{name: "eight tags", link: e, frame: tags(8), kind: KindUDP, vlans: []uint16{1, 1, 1, 1}},
		{name: "nine tags", link: e, frame: tags(9), verdict: VerdictNesting, vlans: []uint16{1, 1, 1, 1}},
		{name: "short LLC", link: e, frame: ethFrame(2, []byte{0x42, 0x42}), verdict: VerdictShortLLC},
		{name: "short SNAP", link: e, frame: ethFrame(5, []byte{0xaa, 0xaa, 3, 0, 0}), verdict: VerdictShortLLC},
		{name: "short MPLS", link: e, frame: ethFrame(etherMPLS, []byte{0, 1, 8}), verdict: VerdictShortMPLS},
		{name: "endless MPLS", link: e, frame: ethFrame(etherMPLS, labels(3)), verdict: VerdictShortMPLS},
		{name: "deep MPLS", link: e, frame: ethFrame(etherMPLS, labels(40)), verdict: VerdictNesting},
		{name: "short PPP", link: LinkPPP, frame: []byte{0xff, 3}, verdict: VerdictShortPPP},
		{name: "shorter PPP", link: LinkPPP, frame: []byte{0}, verdict: VerdictShortPPP},
		{name: "short PPPoE", link: e, frame: ethFrame(etherPPPoE, []byte{0x11, 0}), verdict: VerdictShortPPP},
		{name: "PPPoE version", link: e, frame: ethFrame(etherPPPoE, join([]byte{0x21, 0, 0, 1, 0, 2, 0, 0x21}, syn4)), verdict: VerdictBadPPPoE},
		{name: "short ARP", link: e, frame: ethFrame(etherARP, []byte{0, 1, 8, 0, 6, 4, 0, 1, 2}), verdict: VerdictShortARP},
		{name: "shorter ARP", link: e, frame: ethFrame(etherARP, []byte{0, 1}), verdict: VerdictShortARP},
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
		{name: "eight IP in IP", link: e, frame: nested(8), kind: KindUDP, tunnels: fourIPIP},
		{name: "nine IP in IP", link: e, frame: nested(9), verdict: VerdictNesting, kind: KindIP, tunnels: fourIPIP},
	}
}
