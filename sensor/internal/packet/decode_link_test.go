// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"slices"
)

func le16(v uint16) []byte { return binary.LittleEndian.AppendUint16(nil, v) }

// isSYN checks for the SYN of syn4 or syn6.
func isSYN(p *Packet) bool {
	return p.TCPFlags == SYN && p.SrcPort == 1234 && p.DstPort == 80 && p.PayloadLen == 0 && p.HasIP
}

var (
	synSegment = tcpSegment(1234, 80, SYN, []byte{2, 4, 5, 0xb4, 1, 3, 3, 7}, 0)
	syn4       = ip4(protoTCP, synSegment)
	syn6       = ip6(protoTCP, synSegment)
)

func sllHeader(arphrd, addrLen uint16, mac MAC, proto uint16) []byte {
	return join(u16(0), u16(arphrd), u16(addrLen), mac[:], []byte{0, 0}, u16(proto))
}

// typed sets the packet type of a cooked header, at the offset of its version, and appends a packet.
func typed(header []byte, at int, typ byte, ip []byte) []byte {
	header[at] = typ
	return join(header, ip)
}

func toEverybody(p *Packet) bool {
	return p.SrcMAC == macA && p.DstMAC == MAC{255, 255, 255, 255, 255, 255}
}

func sll2Header(mac MAC, proto uint16) []byte {
	return join(u16(proto), u16(0), u32(2), u16(1), []byte{0, 6}, mac[:], []byte{0, 0})
}

func onlySource(p *Packet) bool { return isSYN(p) && p.HasMAC && p.SrcMAC == macA && p.DstMAC.IsZero() }

// stp is the beginning of a spanning tree frame.
var stp = []byte{0x42, 0x42, 3, 0, 0, 0, 0}

func linkCases() []decodeCase {
	return slices.Concat(ethernetCases(), otherLinkCases(), wifiCases(), radioCases(), switchCases(), fabricCases(), unnamedCases(), mirrorVLANCases())
}

func ethernetCases() []decodeCase {
	snap := func(oui byte, et uint16) []byte { return join([]byte{0xaa, 0xaa, 3, 0, 0, oui}, u16(et)) }
	lenFrame := func(b []byte) []byte { return ethFrame(uint16(len(b)), b) }
	arpBody := join(u16(1), u16(etherIPv4), []byte{6, 4}, u16(1), macA[:], hdr.src[:], make([]byte, 6), hdr.dst[:])
	padded := ethFrame(etherIPv4, join(ip4(protoUDP, udpDatagram(1, 2, []byte("hi"))), make([]byte, 16)))
	return []decodeCase{
		{name: "ethernet", link: LinkEthernet, frame: ethFrame(etherIPv4, syn4), kind: KindTCP, check: func(p *Packet) bool {
			return isSYN(p) && p.HasMAC && p.SrcMAC == macA && p.DstMAC == macB && p.EtherType == etherIPv4 && p.Count == 1 &&
				p.Src == AddrFrom4(hdr.src[:]) && p.Dst == AddrFrom4(hdr.dst[:]) && p.TTL == 64 && p.IPID == 0x1234 && p.IPBytes == 48 &&
				p.Seq == 0x11223344 && p.Ack == 0x55667788 && p.Window == 8192 && p.MSS == 1460 && p.WindowScale == 8 && p.TCPOptLen == 8
		}},
		{name: "ethernet IPv6", link: LinkEthernet, frame: ethFrame(etherIPv6, syn6), kind: KindTCP, check: func(p *Packet) bool {
			return isSYN(p) && p.V6 && p.TTL == 64 && p.IPBytes == 68 && p.Src[0] == 0x20 && p.Src[15] == 1 && p.Dst[15] == 2
		}},
		{name: "padding is cut", link: LinkEthernet, frame: padded, kind: KindUDP, check: func(p *Packet) bool {
			return string(p.Payload) == "hi" && p.PayloadLen == 2 && !p.Truncated
		}},
		{name: "vlan", link: LinkEthernet, frame: ethFrame(etherVLAN, tagged(0xe064, etherIPv4, syn4)), kind: KindTCP, vlans: []uint16{100}, check: isSYN},
		{name: "qinq", link: LinkEthernet, frame: ethFrame(etherQinQ, tagged(7, etherVLAN, tagged(8, etherIPv6, syn6))), kind: KindTCP, vlans: []uint16{7, 8}, check: isSYN},
		{name: "old qinq", link: LinkEthernet, frame: ethFrame(etherVLANOld, tagged(7, etherVLANOld2, tagged(8, etherVLAN, tagged(0, etherIPv4, syn4)))), kind: KindTCP, vlans: []uint16{7, 8, 0}, check: isSYN},
		{name: "five tags", link: LinkEthernet, frame: ethFrame(etherVLAN, tagged(1, etherVLAN, tagged(2, etherVLAN, tagged(3, etherVLAN, tagged(4, etherVLAN, tagged(5, etherIPv4, syn4)))))), kind: KindTCP, vlans: []uint16{1, 2, 3, 4}, check: isSYN},
		{name: "VN-Tag", link: LinkEthernet, frame: ethFrame(etherVLAN, tagged(250, etherVNTag, join(u32(0x80010000), u16(etherVLAN), tagged(250, etherIPv4, syn4)))), kind: KindTCP, vlans: []uint16{250, 250}, check: isSYN},
		{name: "TrustSec", link: LinkEthernet, frame: ethFrame(etherVLAN, tagged(250, etherCMD, join([]byte{1, 1, 0, 1}, u16(17), u16(etherIPv4), syn4))), kind: KindTCP, vlans: []uint16{250}, check: isSYN},
		{name: "SNAP", link: LinkEthernet, frame: lenFrame(join(snap(0, etherIPv4), syn4)), kind: KindTCP, check: isSYN},
		{name: "SNAP 802.1H", link: LinkEthernet, frame: lenFrame(join(snap(0xf8, etherIPv4), syn4)), kind: KindTCP, check: isSYN},
		{name: "LLC IP", link: LinkEthernet, frame: lenFrame(join([]byte{6, 6, 3}, syn4)), kind: KindTCP, check: isSYN},
		{name: "SNAP in a VLAN", link: LinkEthernet, frame: ethFrame(etherVLAN, tagged(9, uint16(8+len(syn4)), join(snap(0, etherIPv4), syn4))), kind: KindTCP, vlans: []uint16{9}, check: isSYN},
		{name: "spanning tree", link: LinkEthernet, frame: ethFrame(7, join(stp, make([]byte, 39))), kind: KindNeighbor, check: func(p *Packet) bool {
			return p.EtherType == 7 && string(p.Payload) == string(stp)
		}},
		{name: "CDP", link: LinkEthernet, frame: lenFrame(join([]byte{0xaa, 0xaa, 3, 0, 0, 0x0c}, u16(0x2000), []byte{2, 180})), kind: KindNeighbor, check: func(p *Packet) bool {
			return string(p.Body) == "\x00\x00\x0c\x20\x00\x02\xb4"
		}},
		{name: "EDP in a VLAN", link: LinkEthernet, frame: ethFrame(etherVLAN, tagged(9, 10, join([]byte{0xaa, 0xaa, 3, 0, 0xe0, 0x2b}, u16(0xbb), []byte{1, 0}))), kind: KindNeighbor, vlans: []uint16{9}},
		{name: "PVST", link: LinkEthernet, frame: lenFrame(join([]byte{0xaa, 0xaa, 3, 0, 0, 0x0c}, u16(0x010b), []byte{0, 0})), kind: KindNeighbor},
		{name: "SADP", link: LinkEthernet, frame: ethFrame(EtherSADP, []byte{0x21, 2}), kind: KindNeighbor},
		{name: "FDP", link: LinkEthernet, frame: lenFrame(join([]byte{0xaa, 0xaa, 3, 0, 0xe0, 0x52}, u16(0x2000), []byte{1, 5})), kind: KindNeighbor},
		{name: "VTP", link: LinkEthernet, frame: lenFrame(join([]byte{0xaa, 0xaa, 3, 0, 0, 0x0c}, u16(0x2003), []byte{2, 180})), verdict: VerdictNoNetwork},
		{name: "MACsec unencrypted", link: LinkEthernet, frame: ethFrame(etherMACsec, join([]byte{0, 0}, u32(7), u16(etherIPv4), syn4, make([]byte, 16))), kind: KindTCP, check: isSYN},
		{name: "MACsec with channel, VLAN within", link: LinkEthernet, frame: ethFrame(etherMACsec, join([]byte{0x20, 0}, make([]byte, 12), u16(etherVLAN), tagged(6, etherIPv4, syn4))), kind: KindTCP, vlans: []uint16{6}, check: isSYN},
		{name: "MACsec encrypted", link: LinkEthernet, frame: ethFrame(etherMACsec, join([]byte{0x0c, 0}, u32(7), u16(etherIPv4), syn4)), verdict: VerdictNoNetwork},
		{name: "NSH", link: LinkEthernet, frame: ethFrame(etherNSH, join([]byte{0, 2, 2, 1}, u32(0x100), syn4)), kind: KindTCP, check: withoutMACs},
		{name: "NSH of ethernet", link: LinkEthernet, frame: ethFrame(etherNSH, join([]byte{0, 2, 2, 3}, u32(0x100), ethBetween(macC, macD, etherIPv6, syn6))), kind: KindTCP, check: innerMACs},
		{name: "LLDP", link: LinkEthernet, frame: ethFrame(EtherLLDP, []byte{2, 7, 4}), kind: KindNeighbor, check: func(p *Packet) bool {
			return p.EtherType == EtherLLDP && string(p.Body) == "\x02\x07\x04" && p.HasMAC
		}},
		{name: "ARP", link: LinkEthernet, frame: ethFrame(etherARP, join(arpBody, make([]byte, 18))), kind: KindARP, check: func(p *Packet) bool {
			return string(p.Body) == string(arpBody) && p.EtherType == etherARP
		}},
		{name: "ARP of another network", link: LinkEthernet, frame: ethFrame(etherARP, join(u16(6), arpBody[2:])), verdict: VerdictNoNetwork},
	}
}

func otherLinkCases() []decodeCase {
	nflogLE := join([]byte{2, 0, 0, 0}, le16(8), le16(1), u32(0), le16(5), le16(10), []byte{'x', 0, 0, 0}, le16(uint16(4+len(syn4))), le16(9), syn4)
	nflogBE := join([]byte{10, 0, 0, 0}, u16(8), u16(1), u32(0), u16(uint16(4+len(syn6))), u16(9), syn6)
	return []decodeCase{
		{name: "null with EtherType", link: LinkNull, frame: join([]byte{0x0f, 0, 8, 0}, syn4), kind: KindTCP, check: isSYN},
		{name: "raw 101 v4", link: LinkRaw, frame: syn4, kind: KindTCP, check: isSYN},
		{name: "raw 101 v6", link: LinkRaw, frame: syn6, kind: KindTCP, check: isSYN},
		{name: "raw 12", link: LinkRawBSD12, frame: syn4, kind: KindTCP, check: isSYN},
		{name: "raw 14", link: LinkRawBSD14, frame: syn6, kind: KindTCP, check: isSYN},
		{name: "IPv4 228", link: LinkIPv4, frame: syn4, kind: KindTCP, check: isSYN},
		{name: "IPv6 229", link: LinkIPv6, frame: syn6, kind: KindTCP, check: isSYN},
		{name: "null little endian", link: LinkNull, frame: join([]byte{2, 0, 0, 0}, syn4), kind: KindTCP, check: isSYN},
		{name: "null big endian", link: LinkNull, frame: join(u32(2), syn4), kind: KindTCP, check: isSYN},
		{name: "null macOS", link: LinkNull, frame: join([]byte{30, 0, 0, 0}, syn6), kind: KindTCP, check: isSYN},
		{name: "null FreeBSD", link: LinkNull, frame: join(u32(28), syn6), kind: KindTCP, check: isSYN},
		{name: "null OpenBSD", link: LinkNull, frame: join([]byte{24, 0, 0, 0}, syn6), kind: KindTCP, check: isSYN},
		{name: "null Windows", link: LinkNull, frame: join([]byte{23, 0, 0, 0}, syn6), kind: KindTCP, check: isSYN},
		{name: "null Linux", link: LinkNull, frame: join([]byte{10, 0, 0, 0}, syn6), kind: KindTCP, check: isSYN},
		{name: "null of another family", link: LinkNull, frame: join(u32(7), syn6), verdict: VerdictNoNetwork},
		{name: "loop", link: LinkLoop, frame: join(u32(2), syn4), kind: KindTCP, check: isSYN},
		{name: "SLL", link: LinkLinuxSLL, frame: join(sllHeader(1, 6, macA, etherIPv4), syn4), kind: KindTCP, check: onlySource},
		{name: "SLL VLAN", link: LinkLinuxSLL, frame: join(sllHeader(1, 6, macA, etherVLAN), tagged(3, etherIPv4, syn4)), kind: KindTCP, vlans: []uint16{3}, check: onlySource},
		{name: "SLL loopback", link: LinkLinuxSLL, frame: join(sllHeader(772, 6, MAC{}, etherIPv6), syn6), kind: KindTCP, check: func(p *Packet) bool { return isSYN(p) && !p.HasMAC }},
		{name: "SLL LLC", link: LinkLinuxSLL, frame: join(sllHeader(1, 6, macA, 4), stp), kind: KindNeighbor},
		{name: "SLL netlink", link: LinkLinuxSLL, frame: join(sllHeader(arphrdNetlink, 0, MAC{}, etherIPv4), syn4), verdict: VerdictNoNetwork},
		{name: "SLL novell", link: LinkLinuxSLL, frame: join(sllHeader(1, 6, macA, 1), syn4), verdict: VerdictNoNetwork},
		{name: "SLL broadcast", link: LinkLinuxSLL, frame: typed(sllHeader(1, 6, macA, etherIPv4), 1, 1, syn4), kind: KindTCP, check: toEverybody},
		{name: "SLL multicast", link: LinkLinuxSLL, frame: typed(sllHeader(1, 6, macA, etherIPv4), 1, 2, syn4), kind: KindTCP, check: onlySource},
		{name: "SLL2 broadcast", link: LinkSLL2, frame: typed(sll2Header(macA, etherIPv6), 10, 1, syn6), kind: KindTCP, check: toEverybody},
		{name: "SLL2", link: LinkSLL2, frame: join(sll2Header(macA, etherIPv6), syn6), kind: KindTCP, check: onlySource},
		{name: "NFLOG little endian", link: LinkNFLOG, frame: nflogLE, kind: KindTCP, check: isSYN},
		{name: "NFLOG big endian", link: LinkNFLOG, frame: nflogBE, kind: KindTCP, check: isSYN},
		{name: "PPP with address", link: LinkPPP, frame: join([]byte{0xff, 3, 0, 0x21}, syn4), kind: KindTCP, check: isSYN},
		{name: "PPP without address", link: LinkPPP, frame: join([]byte{0, 0x57}, syn6), kind: KindTCP, check: isSYN},
		{name: "PPP compressed", link: LinkPPP, frame: join([]byte{0x21}, syn4), kind: KindTCP, check: isSYN},
		{name: "PPP LCP", link: LinkPPP, frame: []byte{0xff, 3, 0xc0, 0x21, 1, 1, 0, 4}, verdict: VerdictNoNetwork},
		{name: "PPP HDLC", link: LinkPPPHDLC, frame: join([]byte{0xff, 3, 0, 0x21}, syn4), kind: KindTCP, check: isSYN},
		{name: "PPP HDLC Cisco", link: LinkPPPHDLC, frame: join([]byte{0x0f, 0, 8, 0}, syn4), kind: KindTCP, check: isSYN},
		{name: "Cisco HDLC", link: LinkCiscoHDLC, frame: join([]byte{0x8f, 0, 0x86, 0xdd}, syn6), kind: KindTCP, check: isSYN},
		{name: "PPPoE link", link: LinkPPPoE, frame: join([]byte{0x11, 0}, u16(9), u16(uint16(2+len(syn4))), []byte{0, 0x21}, syn4), kind: KindTCP, tunnels: []Tunnel{{Type: TunnelPPPoE, ID: 9, HasID: true}}, check: isSYN},
	}
}
