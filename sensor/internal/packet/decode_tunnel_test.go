// SPDX-License-Identifier: Apache-2.0

package packet

import "bytes"

func geneveFrame(vni uint32, et uint16, options, payload []byte) []byte {
	return join([]byte{uint8(len(options) / 4), 0}, u16(et), u32(vni<<8), options, payload)
}

func gtpuFrame(flags uint8, teid uint32, rest []byte) []byte {
	return join([]byte{flags, 255}, u16(uint16(len(rest))), u32(teid), rest)
}

func erspan2(session uint16, frame []byte) []byte {
	return join(u16(0x1000), u16(0x3800|session), u32(0), frame)
}

func erspan3Header(session uint16, frameType, last byte) []byte {
	return join(u16(0x2000), u16(session), u32(0), []byte{0, 0, frameType << 2, last})
}

// innerMACs checks for the MACs of the inner frame.
func innerMACs(p *Packet) bool { return isSYN(p) && p.SrcMAC == macC && p.DstMAC == macD }

// outerMACs checks for the MACs of the outer frame: there was no inner frame, and the link is that of the stations.
func outerMACs(p *Packet) bool { return isSYN(p) && p.SrcMAC == macA && p.DstMAC == macB }

// withoutMACs checks for no MACs: the inner packet is IP.
func withoutMACs(p *Packet) bool {
	return isSYN(p) && !p.HasMAC && p.SrcMAC.IsZero() && p.DstMAC.IsZero()
}

var (
	innerFrame = ethBetween(macC, macD, etherIPv4, syn4)
	innerLLDP  = ethBetween(macC, macD, 0x88cc, []byte{2, 7, 4})
	garbage    = bytes.Repeat([]byte{0xa7, 0x3c}, 40)
)

// plainTunnel, idTunnel and linkTunnel are an expected tunnel: in IP without and with an id, and below IP.
func plainTunnel(t TunnelType) []Tunnel { return []Tunnel{{Type: t, HasOuter: true}} }

func idTunnel(t TunnelType, id uint32) []Tunnel {
	return []Tunnel{{Type: t, ID: id, HasID: true, HasOuter: true}}
}

func linkTunnel(t TunnelType, id uint32) []Tunnel { return []Tunnel{{Type: t, ID: id, HasID: true}} }

// outerUDP checks that the packet remained UDP to port.
func outerUDP(port uint16) func(*Packet) bool {
	return func(p *Packet) bool { return p.DstPort == port && p.SrcMAC == macA && p.PayloadLen > 0 }
}

func greFrame(b ...[]byte) []byte { return eth4(protoGRE, join(b...)) }

func udpFrame(port uint16, b []byte) []byte { return eth4(protoUDP, udpDatagram(50000, port, b)) }

func mplsLabel(n uint32, last bool) []byte {
	v := n<<12 | 64
	if last {
		v |= 0x100
	}
	return u32(v)
}

func tunnelCases() []decodeCase {
	return append(append(greCases(), udpTunnelCases()...), layerTunnelCases()...)
}

func greCases() []decodeCase {
	e := LinkEthernet
	return []decodeCase{
		{name: "gre", link: e, frame: greFrame([]byte{0, 0, 8, 0}, syn4), kind: KindTCP, tunnels: []Tunnel{{Type: TunnelGRE, HasOuter: true, Src: AddrFrom4(hdr.src[:]), Dst: AddrFrom4(hdr.dst[:])}}, check: withoutMACs},
		{name: "gre key", link: e, frame: greFrame([]byte{0x20, 0, 0x86, 0xdd}, u32(65000), syn6), kind: KindTCP, tunnels: idTunnel(TunnelGRE, 65000), check: withoutMACs},
		{name: "gre checksum, key, sequence", link: e, frame: greFrame([]byte{0xb0, 0, 8, 0}, u32(0), u32(7), u32(1), syn4), kind: KindTCP, tunnels: idTunnel(TunnelGRE, 7), check: withoutMACs},
		{name: "gre routing", link: e, frame: greFrame([]byte{0x40, 0, 8, 0}, u32(0), []byte{8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0}, syn4), kind: KindTCP, tunnels: plainTunnel(TunnelGRE), check: withoutMACs},
		{name: "gre ethernet", link: e, frame: greFrame([]byte{0, 0, 0x65, 0x58}, innerFrame), kind: KindTCP, tunnels: plainTunnel(TunnelGRE), check: innerMACs},
		{name: "gre ppp", link: e, frame: greFrame([]byte{0, 0, 0x88, 0x0b}, []byte{0xff, 3, 0, 0x21}, syn4), kind: KindTCP, tunnels: plainTunnel(TunnelGRE), check: withoutMACs},
		{name: "gre wccp 2", link: e, frame: greFrame([]byte{0, 0, 0x88, 0x3e}, u32(0), syn4), kind: KindTCP, tunnels: plainTunnel(TunnelGRE), check: withoutMACs},
		{name: "gre mpls", link: e, frame: greFrame([]byte{0, 0, 0x88, 0x47}, mplsLabel(3, true), syn4), kind: KindTCP, tunnels: append(plainTunnel(TunnelGRE), linkTunnel(TunnelMPLS, 3)...), check: withoutMACs},
		{name: "gre in gre", link: e, frame: greFrame([]byte{0, 0, 8, 0}, ip4(protoGRE, join([]byte{0, 0, 8, 0}, syn4))), kind: KindTCP, tunnels: append(plainTunnel(TunnelGRE), plainTunnel(TunnelGRE)...), check: withoutMACs},
		{name: "gre keepalive", link: e, frame: greFrame([]byte{0, 0, 0, 0}), kind: KindIP, check: func(p *Packet) bool { return p.Proto == protoGRE }},
		{name: "gre of what is not read", link: e, frame: greFrame([]byte{0, 0, 0x20, 1}, garbage), kind: KindIP, check: func(p *Packet) bool { return p.Proto == protoGRE }},
		{name: "gre with bad inner", link: e, frame: greFrame([]byte{0, 0, 8, 0}, syn6), verdict: VerdictIPVersion, kind: KindIP, check: func(p *Packet) bool { return p.Proto == protoGRE && p.Src == AddrFrom4(hdr.src[:]) }},
		{name: "pptp", link: e, frame: greFrame([]byte{0x30, 0x81, 0x88, 0x0b}, u16(uint16(1+len(syn4))), u16(513), u32(1), u32(2), []byte{0x21}, syn4), kind: KindTCP, tunnels: idTunnel(TunnelGRE, 513), check: withoutMACs},
		{name: "pptp acknowledgement", link: e, frame: greFrame([]byte{0x20, 0x81, 0x88, 0x0b}, u16(0), u16(513), u32(2)), kind: KindIP},
		{name: "erspan I", link: e, frame: greFrame([]byte{0, 0, 0x88, 0xbe}, innerFrame), kind: KindTCP, tunnels: plainTunnel(TunnelERSPAN), check: innerMACs},
		{name: "erspan II", link: e, frame: greFrame([]byte{0x10, 0, 0x88, 0xbe}, u32(1), erspan2(100, innerFrame)), kind: KindTCP, tunnels: idTunnel(TunnelERSPAN, 100), check: innerMACs},
		{name: "erspan II cut by the switch", link: e, frame: greFrame([]byte{0x10, 0, 0x88, 0xbe}, u32(1), erspan2(100, patched(innerFrame, 16, 4, 0))), kind: KindTCP, tunnels: idTunnel(TunnelERSPAN, 100), check: func(p *Packet) bool {
			return p.IPBytes == 1024 && p.PayloadLen == 1024-48 && p.Truncated
		}},
		{name: "erspan II of LLDP", link: e, frame: greFrame([]byte{0x10, 0, 0x88, 0xbe}, u32(1), erspan2(100, innerLLDP)), kind: KindNeighbor, tunnels: idTunnel(TunnelERSPAN, 100), check: func(p *Packet) bool {
			return p.SrcMAC == macC && p.EtherType == 0x88cc && !p.HasIP && len(p.Payload) == 3
		}},
		{name: "erspan III", link: e, frame: greFrame([]byte{0x10, 0, 0x22, 0xeb}, u32(1), erspan3Header(5, 0, 0), innerFrame), kind: KindTCP, tunnels: idTunnel(TunnelERSPAN, 5), check: innerMACs},
		{name: "erspan III sub-header", link: e, frame: greFrame([]byte{0x10, 0, 0x22, 0xeb}, u32(1), erspan3Header(5, 0, 1), make([]byte, 8), innerFrame), kind: KindTCP, tunnels: idTunnel(TunnelERSPAN, 5), check: innerMACs},
		{name: "erspan III of IP", link: e, frame: greFrame([]byte{0x10, 0, 0x22, 0xeb}, u32(1), erspan3Header(5, 2, 0), syn6), kind: KindTCP, tunnels: idTunnel(TunnelERSPAN, 5), check: withoutMACs},
		{name: "erspan III short", link: e, frame: greFrame([]byte{0x10, 0, 0x22, 0xeb}, u32(1), erspan3Header(5, 0, 1)), verdict: VerdictShortTunnel, kind: KindIP},
		{name: "erspan version 7", link: e, frame: greFrame([]byte{0x10, 0, 0x88, 0xbe}, u32(1), []byte{0x70}, make([]byte, 20)), verdict: VerdictBadTunnel, kind: KindIP},
	}
}

func udpTunnelCases() []decodeCase {
	badInner := ethBetween(macC, macD, etherIPv4, patched(syn4, 0, 0x42))
	teredoAuth := join([]byte{0, 1, 2, 3}, make([]byte, 5+8+1))
	e := LinkEthernet
	return []decodeCase{
		{name: "vxlan", link: e, frame: udpFrame(portVXLAN, vxlanFrame(3000001, innerFrame)), kind: KindTCP, tunnels: idTunnel(TunnelVXLAN, 3000001), check: innerMACs},
		{name: "vxlan 8472 with vlans", link: e, frame: ethFrame(etherVLAN, tagged(4, etherIPv4, ip4(protoUDP, udpDatagram(5, portVXLANOld, vxlanFrame(1, ethBetween(macC, macD, etherVLAN, tagged(9, etherIPv4, syn4))))))), kind: KindTCP, vlans: []uint16{4, 9}, tunnels: idTunnel(TunnelVXLAN, 1), check: innerMACs},
		{name: "vxlan reserved bits", link: e, frame: udpFrame(portVXLAN, join([]byte{0x48, 1, 2, 3, 0, 0, 11, 9}, innerFrame)), kind: KindTCP, tunnels: idTunnel(TunnelVXLAN, 11), check: innerMACs},
		{name: "vxlan of LLDP", link: e, frame: udpFrame(portVXLAN, vxlanFrame(3, innerLLDP)), kind: KindNeighbor, tunnels: idTunnel(TunnelVXLAN, 3)},
		{name: "vxlan without VNI flag", link: e, frame: udpFrame(portVXLAN, join(make([]byte, 8), innerFrame)), kind: KindUDP, check: outerUDP(portVXLAN)},
		{name: "vxlan port, other bytes", link: e, frame: udpFrame(portVXLAN, join([]byte{0x2a}, garbage)), kind: KindUDP, check: outerUDP(portVXLAN)},
		{name: "vxlan with bad inner", link: e, frame: udpFrame(portVXLAN, vxlanFrame(3, badInner)), verdict: VerdictIPv4IHL, kind: KindUDP, check: outerUDP(portVXLAN)},
		{name: "vxlan source port only", link: e, frame: eth4(protoUDP, udpDatagram(portVXLAN, 53, vxlanFrame(3, innerFrame))), kind: KindUDP, check: outerUDP(53)},
		{name: "vxlan-gpe", link: e, frame: udpFrame(portVXLANGPE, join([]byte{0x0c, 0, 0, 2}, u32(6<<8), syn6)), kind: KindTCP, tunnels: idTunnel(TunnelVXLAN, 6), check: withoutMACs},
		{name: "vxlan-gpe of NSH", link: e, frame: udpFrame(portVXLANGPE, join([]byte{0x0c, 0, 0, 4}, u32(6<<8), []byte{0, 2, 2, 1}, u32(0x100), syn4)), kind: KindTCP, tunnels: idTunnel(TunnelVXLAN, 6), check: withoutMACs},
		{name: "vxlan-gpe of what is not read", link: e, frame: udpFrame(portVXLANGPE, join([]byte{0x0c, 0, 0, 9}, u32(6<<8), syn6)), kind: KindUDP, check: outerUDP(portVXLANGPE)},
		{name: "mpls in UDP", link: e, frame: udpFrame(portMPLS, join(mplsLabel(29, true), syn4)), kind: KindTCP, tunnels: idTunnel(TunnelMPLS, 29), check: withoutMACs},
		{name: "mpls port, other bytes", link: e, frame: udpFrame(portMPLS, garbage), kind: KindUDP, check: outerUDP(portMPLS)},
		{name: "geneve", link: e, frame: udpFrame(portGeneve, geneveFrame(5001, etherBridged, make([]byte, 8), innerFrame)), kind: KindTCP, tunnels: idTunnel(TunnelGeneve, 5001), check: innerMACs},
		{name: "geneve IPv6", link: e, frame: udpFrame(portGeneve, geneveFrame(0, etherIPv6, nil, syn6)), kind: KindTCP, tunnels: idTunnel(TunnelGeneve, 0), check: withoutMACs},
		{name: "geneve options beyond", link: e, frame: udpFrame(portGeneve, []byte{63, 0, 0x65, 0x58, 0, 0, 0, 0, 1}), kind: KindUDP, check: outerUDP(portGeneve)},
		{name: "geneve port, other bytes", link: e, frame: udpFrame(portGeneve, garbage), kind: KindUDP, check: outerUDP(portGeneve)},
		{name: "teredo", link: e, frame: udpFrame(portTeredo, syn6), kind: KindTCP, tunnels: plainTunnel(TunnelTeredo), check: withoutMACs},
		{name: "teredo indications", link: e, frame: udpFrame(portTeredo, join(teredoAuth, make([]byte, 8), syn6)), kind: KindTCP, tunnels: plainTunnel(TunnelTeredo), check: withoutMACs},
		{name: "teredo port, IPv6 too long", link: e, frame: udpFrame(portTeredo, patched(syn6, 4, 9, 9)), kind: KindUDP, check: outerUDP(portTeredo)},
		{name: "gtpu", link: e, frame: udpFrame(portGTPU, gtpuFrame(0x30, 0x100657, syn4)), kind: KindTCP, tunnels: idTunnel(TunnelGTPU, 0x100657), check: withoutMACs},
		{name: "gtpu extensions", link: e, frame: udpFrame(portGTPU, gtpuFrame(0x36, 9, join([]byte{0, 5, 0, 0xc0, 1, 9, 4, 0x85, 2, 0, 0, 0, 0, 0, 0, 0}, syn6))), kind: KindTCP, tunnels: idTunnel(TunnelGTPU, 9), check: withoutMACs},
		{name: "gtpu extension of length 0", link: e, frame: udpFrame(portGTPU, gtpuFrame(0x34, 9, join([]byte{0, 5, 0, 0xc0, 0, 9, 4, 0}, syn6))), kind: KindUDP, check: outerUDP(portGTPU)},
		{name: "gtpu echo", link: e, frame: udpFrame(portGTPU, patched(gtpuFrame(0x32, 0, []byte{0, 1, 0, 0}), 1, 1)), kind: KindUDP, check: outerUDP(portGTPU)},
		{name: "gtpu with bad inner", link: e, frame: udpFrame(portGTPU, gtpuFrame(0x30, 9, patched(syn4, 0, 0x41))), kind: KindUDP, check: outerUDP(portGTPU)},
		{name: "tzsp", link: e, frame: udpFrame(portTZSP, join([]byte{1, 0, 0, 1, 0x0a, 1, 0xd0, 0, 1}, innerFrame)), kind: KindTCP, tunnels: plainTunnel(TunnelTZSP), check: innerMACs},
		{name: "tzsp without end", link: e, frame: udpFrame(portTZSP, join([]byte{1, 0, 0, 1, 0x0a, 200}, innerFrame)), kind: KindUDP, check: outerUDP(portTZSP)},
	}
}

// layerTunnelCases have IP in IP, MPLS, PPPoE and provider backbone bridges.
func layerTunnelCases() []decodeCase {
	e := LinkEthernet
	return []decodeCase{
		{name: "ip in ip", link: e, frame: eth4(protoIPv4, syn4), kind: KindTCP, tunnels: plainTunnel(TunnelIPIP), check: withoutMACs},
		{name: "6in4", link: e, frame: eth4(protoIPv6, syn6), kind: KindTCP, tunnels: plainTunnel(TunnelIPIP), check: withoutMACs},
		{name: "4in6", link: e, frame: ethFrame(etherIPv6, ip6(protoIPv4, syn4)), kind: KindTCP, tunnels: []Tunnel{{Type: TunnelIPIP, HasOuter: true, V6: true}}, check: func(p *Packet) bool { return isSYN(p) && !p.V6 }},
		{name: "6in6", link: e, frame: ethFrame(etherIPv6, ip6(protoIPv6, syn6)), kind: KindTCP, tunnels: []Tunnel{{Type: TunnelIPIP, HasOuter: true, V6: true}}, check: withoutMACs},
		{name: "ip in ip with bad inner", link: e, frame: eth4(protoIPv4, syn6), verdict: VerdictIPVersion, kind: KindIP, check: func(p *Packet) bool { return p.Proto == protoIPv4 && p.HasIP }},
		{name: "mpls", link: e, frame: ethFrame(etherMPLS, join(mplsLabel(29, false), mplsLabel(30, true), syn4)), kind: KindTCP, tunnels: linkTunnel(TunnelMPLS, 29), check: withoutMACs},
		{name: "mpls IPv6", link: e, frame: ethFrame(etherMPLS, join(mplsLabel(29, true), syn6)), kind: KindTCP, tunnels: linkTunnel(TunnelMPLS, 29), check: withoutMACs},
		{name: "pseudo-wire with control word", link: e, frame: ethFrame(etherMPLS, join(mplsLabel(29, true), u32(0), innerFrame)), kind: KindTCP, tunnels: linkTunnel(TunnelMPLS, 29), check: innerMACs},
		{name: "pseudo-wire without control word", link: e, frame: ethFrame(etherMPLS, join(mplsLabel(29, true), innerFrame)), kind: KindTCP, tunnels: linkTunnel(TunnelMPLS, 29), check: innerMACs},
		{name: "pseudo-wire to a MAC that looks like IPv4", link: e, frame: ethFrame(etherMPLS, join(mplsLabel(29, true), patched(innerFrame, 0, 0x46, 0, 0xff))), kind: KindTCP, tunnels: linkTunnel(TunnelMPLS, 29), check: isSYN},
		{name: "mpls of what is not read", link: e, frame: ethFrame(etherMPLS, join(mplsLabel(29, true), garbage)), verdict: VerdictNoNetwork},
		{name: "mpls in IP", link: e, frame: eth4(protoMPLS, join(mplsLabel(29, true), syn4)), kind: KindTCP, tunnels: idTunnel(TunnelMPLS, 29), check: withoutMACs},
		{name: "pppoe", link: e, frame: ethFrame(etherQinQ, tagged(5, etherPPPoE, join([]byte{0x11, 0}, u16(77), u16(uint16(2+len(syn6))), []byte{0, 0x57}, syn6, make([]byte, 9)))), kind: KindTCP, vlans: []uint16{5}, tunnels: linkTunnel(TunnelPPPoE, 77), check: outerMACs},
		{name: "pppoe LCP", link: e, frame: ethFrame(etherPPPoE, []byte{0x11, 0, 0, 7, 0, 6, 0xc0, 0x21, 1, 1, 0, 4}), verdict: VerdictNoNetwork, check: func(p *Packet) bool { return p.EtherType == etherPPPoE }},
		{name: "pppoe discovery", link: LinkPPPoE, frame: []byte{0x11, 9, 0, 0, 0, 4, 1, 1, 0, 0}, verdict: VerdictNoNetwork},
		{name: "pbb", link: e, frame: ethFrame(etherQinQ, tagged(5, etherPBB, join(u32(0x20000000|4242), innerFrame))), kind: KindTCP, vlans: []uint16{5}, tunnels: linkTunnel(TunnelPBB, 4242), check: innerMACs},
	}
}
