// SPDX-License-Identifier: Apache-2.0

package packet

import "encoding/binary"

// patched is a copy of b with bytes replaced from at.
func patched(b []byte, at int, with ...byte) []byte {
	b = append([]byte(nil), b...)
	copy(b[at:], with)
	return b
}

// patchedZero is a copy of b with two zero bytes at at: a missing length.
func patchedZero(b []byte, at int) []byte { return patched(b, at, 0, 0) }

func eth4(proto uint8, b []byte) []byte { return ethFrame(etherIPv4, ip4(proto, b)) }

func eth6(next uint8, b []byte) []byte { return ethFrame(etherIPv6, ip6(next, b)) }

// hasPayload checks that the payload has n bytes by the headers.
func hasPayload(n uint32) func(*Packet) bool {
	return func(p *Packet) bool { return p.PayloadLen == n && int(n) >= len(p.Payload) }
}

func networkCases() []decodeCase {
	return append(append(headerCases(), transportCases()...), fragmentCases()...)
}

// headerCases have IP headers with various lengths and extensions.
func headerCases() []decodeCase {
	withOptions := join([]byte{0x46, 0}, u16(24+28), make([]byte, 5), []byte{protoTCP, 0, 0}, hdr.src[:], hdr.dst[:], []byte{1, 1, 1, 0}, synSegment)
	withOptions[8] = 1
	big := func(n int) []byte { return tcpSegment(1, 2, ACK, nil, n) }
	jumbo := ip6(protoHopByHop, join([]byte{protoTCP, 0, 0xc2, 4}, u32(8+20+70000), big(70000)))
	binary.BigEndian.PutUint16(jumbo[4:], 0)
	ah := func(next uint8) []byte { return join([]byte{next, 4, 0, 0}, make([]byte, 20)) }
	every := join(ext(protoRouting), ext(protoDestination), ext(protoAH)[:0], ah(protoHIP), ext(protoShim6), ext(protoMobility), ext(protoTCP), synSegment)
	every[0], every[8] = protoDestination, protoAH
	return []decodeCase{
		{name: "IPv4 options", link: LinkEthernet, frame: ethFrame(etherIPv4, withOptions), kind: KindTCP, check: isSYN},
		{name: "IPv4 without total length", link: LinkEthernet, frame: ethFrame(etherIPv4, patchedZero(ip4(protoTCP, big(5000)), 2)), kind: KindTCP, check: func(p *Packet) bool {
			return p.PayloadLen == 5000 && p.IPBytes == 5040
		}},
		{name: "IPv6 without payload length", link: LinkEthernet, frame: ethFrame(etherIPv6, patchedZero(ip6(protoTCP, big(5000)), 4)), kind: KindTCP, check: hasPayload(5000)},
		{name: "jumbogram", link: LinkEthernet, frame: ethFrame(etherIPv6, jumbo), kind: KindTCP, check: func(p *Packet) bool {
			return p.PayloadLen == 70000 && p.IPBytes == 40+8+20+70000
		}},
		{name: "total length beyond the frame", link: LinkEthernet, frame: patched(ethFrame(etherIPv4, syn4), 16, 4, 0), kind: KindTCP, check: func(p *Packet) bool {
			return p.IPBytes == 48 && p.PayloadLen == 0 && p.Truncated
		}},
		{name: "payload length beyond the frame", link: LinkEthernet, frame: patched(ethFrame(etherIPv6, syn6), 18, 4, 0), kind: KindTCP, check: func(p *Packet) bool {
			return p.IPBytes == 68 && p.PayloadLen == 0 && p.Truncated
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
	}
}

func transportCases() []decodeCase {
	neighbor := join([]byte{135, 0, 0, 0}, make([]byte, 20), []byte{1, 1}, macA[:])
	return []decodeCase{
		{name: "UDP", link: LinkEthernet, frame: eth4(protoUDP, udpDatagram(5, 53, []byte("abc"))), kind: KindUDP, check: func(p *Packet) bool {
			return p.SrcPort == 5 && p.DstPort == 53 && string(p.Payload) == "abc" && p.PayloadLen == 3
		}},
		{name: "UDP without length", link: LinkEthernet, frame: eth4(protoUDP, patchedZero(udpDatagram(5, 53, []byte("abc")), 4)), kind: KindUDP, check: hasPayload(3)},
		{name: "UDP shorter than IP", link: LinkEthernet, frame: eth4(protoUDP, join(udpDatagram(5, 53, []byte("abc")), []byte("options"))), kind: KindUDP, check: hasPayload(3)},
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
		{name: "neighbor solicitation", link: LinkEthernet, frame: eth6(protoICMP6, neighbor), kind: KindICMP6, check: func(p *Packet) bool {
			return string(p.Body) == string(neighbor)
		}},
		{name: "other protocol", link: LinkEthernet, frame: eth4(89, []byte("ospf")), kind: KindIP, check: func(p *Packet) bool {
			return p.Proto == 89 && string(p.Payload) == "ospf" && p.HasIP
		}},
		{name: "TCP options end", link: LinkEthernet, frame: eth4(protoTCP, tcpSegment(1, 2, SYN, []byte{0, 2, 4, 5}, 0)), kind: KindTCP, check: func(p *Packet) bool {
			return p.MSS == 0 && p.TCPOptLen == 4
		}},
		{name: "TCP option of length 0", link: LinkEthernet, frame: eth4(protoTCP, tcpSegment(1, 2, SYN, []byte{5, 0, 2, 4, 5, 5, 1, 1}, 0)), kind: KindTCP, check: func(p *Packet) bool { return p.MSS == 0 }},
		{name: "TCP window scale above 14", link: LinkEthernet, frame: eth4(protoTCP, tcpSegment(1, 2, SYN, []byte{3, 3, 200, 1}, 0)), kind: KindTCP, check: func(p *Packet) bool { return p.WindowScale == 15 }},
	}
}

func fragmentCases() []decodeCase {
	return []decodeCase{
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
	}
}
