// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"encoding/binary"
)

// summed sets the correct checksum in an IPv4 header of 20 bytes.
func summed(ip []byte) []byte {
	b := patched(ip, 10, 0, 0)
	binary.BigEndian.PutUint16(b[10:], ^headerSum(b))
	return b
}

// fabricCases have headers that switches add to mirrored frames.
func fabricCases() []decodeCase {
	e, gap := LinkEthernet, func(n int) []byte { return make([]byte, n) }
	within := func(b ...[]byte) []byte {
		return greFrame([]byte{0x10, 0, 0x88, 0xbe}, u32(1), erspan2(100, join(b...)))
	}
	ttag := func(et uint16, b []byte) []byte { return join([]byte{0x12, 0x34, 0, 0, 1, 2}, u16(et), b) }
	trunk := ethBetween(macC, macD, etherVLAN, tagged(30, etherIPv4, syn4))
	erspan := idTunnel(TunnelERSPAN, 100)
	return []decodeCase{
		{name: "TTag", link: e, frame: ethFrame(etherTTag, ttag(etherIPv4, syn4)), kind: KindTCP, check: outerMACs},
		{name: "TTag before a VLAN tag", link: e, frame: ethFrame(etherTTag, ttag(etherVLAN, tagged(9, etherIPv6, syn6))), kind: KindTCP, vlans: []uint16{9}, check: isSYN},
		{name: "TTag after a VLAN tag", link: e, frame: ethFrame(etherVLAN, tagged(9, etherTTag, ttag(etherIPv4, syn4))), kind: KindTCP, vlans: []uint16{9}, check: isSYN},
		{name: "TTag in erspan II", link: e, frame: within(ethBetween(macC, macD, etherTTag, ttag(etherIPv4, syn4))), kind: KindTCP, tunnels: erspan, check: innerMACs},
		{name: "TTag in vxlan", link: e, frame: udpFrame(portVXLAN, vxlanFrame(7, ethBetween(macC, macD, etherTTag, ttag(etherIPv4, syn4)))), kind: KindTCP, tunnels: idTunnel(TunnelVXLAN, 7), check: innerMACs},
		{name: "short TTag", link: e, frame: ethFrame(etherTTag, gap(7)), verdict: VerdictShortVLAN},
		{name: "FabricPath", link: e, frame: ethFrame(etherFabricPath, join(u16(0x0c20), trunk)), kind: KindTCP, vlans: []uint16{30}, check: innerMACs},
		{name: "FabricPath behind a VLAN tag", link: e, frame: ethFrame(etherVLAN, tagged(9, etherFabricPath, join(u16(0x0c20), innerFrame))), kind: KindTCP, vlans: []uint16{9}, check: innerMACs},
		{name: "FabricPath in erspan II", link: e, frame: within(ethFrame(etherFabricPath, join(u16(0x0c20), trunk))), kind: KindTCP, vlans: []uint16{30}, tunnels: erspan, check: innerMACs},
		{name: "FabricPath in FabricPath, and so on", link: e, frame: fabricPathTimes(12), verdict: VerdictNesting},
		{name: "short FabricPath", link: e, frame: ethFrame(etherFabricPath, gap(1)), verdict: VerdictShortLink},
		{name: "TRILL", link: e, frame: ethFrame(etherTRILL, join(u16(0x0005), u16(1), u16(2), trunk)), kind: KindTCP, vlans: []uint16{30}, check: innerMACs},
		{name: "TRILL with options and a fine-grained label", link: e, frame: ethFrame(etherTRILL, join(u16(0x0845), u16(1), u16(2), gap(4), ethBetween(macC, macD, etherFGL, tagged(1, etherFGL, tagged(2, etherIPv4, syn4))))), kind: KindTCP, check: innerMACs},
		{name: "TRILL of another version", link: e, frame: ethFrame(etherTRILL, join(u16(0x4005), u16(1), u16(2), innerFrame)), verdict: VerdictNoNetwork},
		{name: "Arista, 64 bits", link: e, frame: ethFrame(etherArista, join(u16(1), u16(0x10), gap(8), u16(etherIPv4), syn4)), kind: KindTCP, check: outerMACs},
		{name: "Arista, 48 bits, UTC, before a VLAN tag", link: e, frame: ethFrame(etherArista, join(u16(1), u16(0x120), gap(6), u16(etherVLAN), tagged(9, etherIPv4, syn4))), kind: KindTCP, vlans: []uint16{9}, check: isSYN},
		{name: "Arista of another kind", link: e, frame: ethFrame(etherArista, join(u16(0xcafe), u16(1), gap(40))), verdict: VerdictNoNetwork},
		{name: "E-tag", link: e, frame: ethFrame(etherETag, join(gap(6), u16(etherVLAN), tagged(9, etherIPv4, syn4))), kind: KindTCP, vlans: []uint16{9}, check: isSYN},
		{name: "HSR", link: e, frame: ethFrame(etherHSR, join(u16(0x1040), u16(7), u16(etherIPv4), syn4)), kind: KindTCP, check: outerMACs},
		{name: "PRP trailer", link: e, frame: ethFrame(etherIPv4, join(syn4, u16(7), u16(0xa040), u16(0x88fb))), kind: KindTCP, check: outerMACs},
		{name: "R-tag", link: e, frame: ethFrame(etherRTag, join(u16(0), u16(7), u16(etherIPv6), syn6)), kind: KindTCP, check: outerMACs},
		{name: "congestion notification tag", link: e, frame: ethFrame(etherCNTag, tagged(7, etherIPv4, syn4)), kind: KindTCP, check: outerMACs},
		{name: "Broadcom, with an EtherType", link: e, frame: ethFrame(etherBroadcom, join(u32(0x40000003), u16(etherIPv4), syn4)), kind: KindTCP, check: outerMACs},
		{name: "Realtek, 4 bytes", link: e, frame: ethFrame(etherRealtek, join(u16(0xa002), u16(etherIPv4), syn4)), kind: KindTCP, check: outerMACs},
		{name: "Realtek, 8 bytes", link: e, frame: ethFrame(etherRealtek, join([]byte{4, 0}, u32(2), u16(etherIPv6), syn6)), kind: KindTCP, check: outerMACs},
		{name: "Realtek loop detection", link: e, frame: ethFrame(etherRealtek, join([]byte{0x23}, gap(45))), verdict: VerdictNoNetwork},
		{name: "ACI fabric", link: e, frame: udpFrame(portIVXLAN, join([]byte{0xc8, 0x80, 0x40, 0x05}, u32(77<<8|0x80), innerFrame)), kind: KindTCP, tunnels: idTunnel(TunnelVXLAN, 77), check: innerMACs},
		{name: "the port of ACI, other bytes", link: e, frame: udpFrame(portIVXLAN, garbage), kind: KindUDP, check: outerUDP(portIVXLAN)},
	}
}

func fabricPathTimes(n int) []byte {
	b := innerFrame
	for range n {
		b = ethFrame(etherFabricPath, join(u16(0x0c20), b))
	}
	return b
}

// unnamedCases have tags without an EtherType, in captures whose link type does not say so.
func unnamedCases() []decodeCase {
	e := LinkEthernet
	between := func(tag []byte, et uint16, b []byte) []byte { return join(macB[:], macA[:], tag, u16(et), b) }
	four, arpBody := summed(syn4), join(u16(1), u16(etherIPv4), []byte{6, 4}, u16(1), macA[:], hdr.src[:], make([]byte, 6), hdr.dst[:])
	wrong := patched(four, 10, four[10]^1)
	long := patched(syn6, 4, 0x7f)
	return []decodeCase{
		{name: "Marvell without a link type", link: e, frame: between([]byte{0xc0, 8, 0, 5}, etherIPv4, four), kind: KindTCP, check: fromAtoB},
		{name: "Marvell to the processor, before a VLAN tag", link: e, frame: between([]byte{0, 8, 0, 5}, etherVLAN, tagged(6, etherIPv4, four)), kind: KindTCP, vlans: []uint16{6}, check: fromAtoB},
		{name: "Broadcom without a link type", link: e, frame: between([]byte{0, 0, 0, 8}, etherIPv6, syn6), kind: KindTCP, check: fromAtoB},
		{name: "Qualcomm", link: e, frame: between([]byte{0x98, 0x02}, etherIPv4, four), kind: KindTCP, check: fromAtoB},
		{name: "10 bytes of an unknown vendor", link: e, frame: between(make([]byte, 10), etherIPv4, four), kind: KindTCP, check: fromAtoB},
		{name: "12 bytes", link: e, frame: between(bytes.Repeat([]byte{0xc0}, 12), etherIPv4, four), verdict: VerdictNoNetwork},
		{name: "ARP behind a tag", link: e, frame: between([]byte{0xc0, 8, 0, 5}, etherARP, arpBody), kind: KindARP},
		{name: "a wrong checksum behind a tag", link: e, frame: between([]byte{0xc0, 8, 0, 5}, etherIPv4, wrong), verdict: VerdictNoNetwork},
		{name: "IPv6 longer than the frame behind a tag", link: e, frame: between([]byte{0xc0, 8, 0, 5}, etherIPv6, long), verdict: VerdictNoNetwork},
	}
}

// mirrorVLANCases have ERSPAN headers with the VLAN of the port, and headers that deviate from the specification.
func mirrorVLANCases() []decodeCase {
	e := LinkEthernet
	seq2, seq3 := join([]byte{0x10, 0, 0x88, 0xbe}, u32(1)), join([]byte{0x10, 0, 0x22, 0xeb}, u32(1))
	in := func(id uint32, vlan uint16) []Tunnel {
		return []Tunnel{{Type: TunnelERSPAN, ID: id, HasID: true, HasOuter: true, VLAN: vlan}}
	}
	three := func(vlan uint16, kind, last byte) []byte {
		return join(u16(0x2000|vlan), u16(5), u32(0), []byte{0, 0, kind << 2, last})
	}
	return []decodeCase{
		{name: "erspan II with a VLAN", link: e, frame: greFrame(seq2, u16(0x1064), u16(0x0007), u32(0), innerFrame), kind: KindTCP, tunnels: in(7, 100), check: innerMACs},
		{name: "erspan II with a VLAN and a tag", link: e, frame: greFrame(seq2, u16(0x1064), u16(0x1807), u32(0), ethBetween(macC, macD, etherVLAN, tagged(200, etherIPv4, syn4))), kind: KindTCP, vlans: []uint16{200}, tunnels: in(7, 100), check: innerMACs},
		{name: "erspan III with a VLAN", link: e, frame: greFrame(seq3, three(100, 0, 0), innerFrame, u32(0x11223344)), kind: KindTCP, tunnels: in(5, 100), check: innerMACs},
		{name: "erspan III with a VLAN, sub-header and key", link: e, frame: greFrame([]byte{0x30, 0, 0x22, 0xeb}, u32(9), u32(1), three(4094, 0, 1), make([]byte, 8), innerFrame), kind: KindTCP, tunnels: in(5, 4094), check: innerMACs},
		{name: "erspan III of IPv6 with a VLAN", link: e, frame: greFrame(seq3, three(100, 2, 1), make([]byte, 8), syn6), kind: KindTCP, tunnels: in(5, 100), check: isSYN},
		{name: "erspan II without a number", link: e, frame: greFrame([]byte{0, 0, 0x88, 0xbe}, u16(0x1064), u16(7), u32(0), innerFrame), kind: KindTCP, tunnels: in(7, 100), check: innerMACs},
		{name: "erspan I with a number", link: e, frame: greFrame(seq2, innerFrame), kind: KindTCP, tunnels: plainTunnel(TunnelERSPAN), check: innerMACs},
	}
}
