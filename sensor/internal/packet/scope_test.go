// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"net/netip"
	"testing"

	"stillwatch/internal/testlab/mutate"
)

// site is how the frames of one network reach the sensor.
type site func(frame []byte) []byte

func viaVXLAN(vni uint32) site {
	return func(f []byte) []byte { return udpFrame(portVXLAN, vxlanFrame(vni, f)) }
}

func viaGRE(key uint32, et uint16) site {
	return func(f []byte) []byte {
		if et == etherIPv4 {
			f = f[etherHeaderSize:]
		}
		return greFrame(u16(greKey), u16(et), u32(key), f)
	}
}

func viaERSPAN(from [4]byte, session uint16) site {
	return func(f []byte) []byte {
		return ethFrame(etherIPv4, ip4From(from, hdr.dst, protoGRE, join(u16(greSequence), u16(etherERSPAN), u32(1), erspan2(session, f))))
	}
}

func direct(f []byte) []byte { return f }

var (
	camera = [4]byte{192, 168, 1, 20}
	viewer = [4]byte{192, 168, 1, 30}
)

// request and answer are frames of one TCP session between viewer and camera.
func request(viewerMAC, cameraMAC MAC) []byte {
	return ethBetween(viewerMAC, cameraMAC, etherIPv4, ip4From(viewer, camera, protoTCP, tcpSegment(40000, 554, SYN, nil, 0)))
}

func answer(viewerMAC, cameraMAC MAC) []byte {
	return ethBetween(cameraMAC, viewerMAC, etherIPv4, ip4From(camera, viewer, protoTCP, tcpSegment(554, 40000, SYN|ACK, nil, 0)))
}

func routed(f []byte) []byte {
	f[etherHeaderSize+8] = 63
	return f
}

func arpOf(mac MAC, addr [4]byte) []byte { return arpOp(1, mac, addr) }

func arpOp(op uint16, mac MAC, addr [4]byte) []byte {
	return ethBetween(mac, macB, etherARP, join(u16(1), u16(etherIPv4), []byte{6, 4}, u16(op), mac[:], addr[:], macB[:], viewer[:]))
}

func scopeOf(x *Scopes, frame []byte) (p Packet) {
	Decode(&p, LinkEthernet, frame, uint32(len(frame)))
	p.Time = 1e9
	x.Apply(&p)
	return p
}

func TestScopesKeepSitesApart(t *testing.T) {
	mac := func(n byte) MAC { return MAC{0x00, 0x1b, 0x54, 0, 0, n} }
	for name, c := range map[string]struct {
		one, two site
		want     string
	}{
		"VXLAN":                   {viaVXLAN(100), viaVXLAN(200), "vxlan-200"},
		"GRE with Ethernet":       {viaGRE(7, etherBridged), viaGRE(8, etherBridged), "gre-8"},
		"NVGRE":                   {viaGRE(0x5000<<8, etherBridged), viaGRE(0x5001<<8|3, etherBridged), "gre-20481"},
		"ERSPAN of two switches":  {viaERSPAN([4]byte{192, 0, 2, 1}, 1), viaERSPAN([4]byte{192, 0, 2, 2}, 1), "erspan-1-"},
		"the link and a tunnel":   {direct, viaVXLAN(200), "vxlan-200"},
		"VXLAN over ERSPAN":       {viaVXLAN(100), func(f []byte) []byte { return viaERSPAN(hdr.src, 5)(viaVXLAN(200)(f)) }, "vxlan-200"},
		"IP in GRE has no sender": {viaGRE(7, etherIPv4), viaGRE(8, etherIPv4), "gre-8"},
	} {
		x := NewScopes()
		a := scopeOf(x, c.one(request(mac(1), mac(2))))
		scopeOf(x, c.one(answer(mac(1), mac(2))))
		p, q := scopeOf(x, c.two(request(mac(3), mac(4)))), scopeOf(x, c.two(answer(mac(3), mac(4))))
		if s := p.Scope.String(); len(s) < len(c.want) || s[:len(c.want)] != c.want {
			t.Errorf("%s: scope %q, want %q", name, s, c.want)
		}
		if p.FlowHash() != q.FlowHash() || p.Src != q.Dst || p.Dst != q.Src {
			t.Errorf("%s: the directions of a session differ: %v %v, %v %v", name, p.Src, p.Dst, q.Src, q.Dst)
		}
		if p.Src == a.Src || p.FlowHash() == a.FlowHash() {
			t.Errorf("%s: the sites are mixed", name)
		}
		if p.Src.Netip() != netip.AddrFrom4(viewer) || !p.Src.Is4() || p.Src.In(Scope{}) != AddrFrom4(viewer[:]) {
			t.Errorf("%s: a scope changes what the address is: %v", name, p.Src.Netip())
		}
		if again := p; true {
			if x.Apply(&again); again.Src != p.Src {
				t.Errorf("%s: a second scope", name)
			}
		}
	}
}

// One network that is mirrored twice, or whose ids differ by direction, is one address space.
func TestScopesDoNotSplitANetwork(t *testing.T) {
	mac := func(n byte) MAC { return MAC{0x00, 0x1b, 0x54, 0, 0, n} }
	gateway := mac(9)
	for name, frames := range map[string][][]byte{
		"two mirrors": {viaVXLAN(1)(request(mac(1), mac(2))), viaVXLAN(2)(request(mac(1), mac(2))), viaVXLAN(1)(answer(mac(1), mac(2))), viaVXLAN(2)(answer(mac(1), mac(2)))},
		"ERSPAN sessions by direction": {viaERSPAN(hdr.src, 1)(request(mac(1), mac(2))), viaERSPAN(hdr.src, 2)(answer(mac(1), mac(2))),
			viaERSPAN(hdr.src, 1)(arpOf(mac(1), viewer)), viaERSPAN(hdr.src, 2)(arpOf(mac(2), camera))},
		"routing between segments": {viaVXLAN(1)(request(mac(1), gateway)), viaVXLAN(2)(routed(request(gateway, mac(2)))),
			viaVXLAN(2)(answer(gateway, mac(2))), viaVXLAN(1)(routed(answer(mac(1), gateway)))},
		"a new MAC in one segment": {viaVXLAN(1)(request(mac(1), mac(2))), viaVXLAN(1)(request(mac(5), mac(2))), viaVXLAN(1)(answer(mac(5), mac(6)))},
		"proxy ARP":                {viaVXLAN(1)(arpOf(mac(1), viewer)), viaVXLAN(2)(arpOp(2, mac(5), viewer))},
		"virtual routers":          {viaVXLAN(1)(request(MAC{0, 0, 0x5e, 0, 1, 1}, mac(2))), viaVXLAN(2)(request(MAC{0, 0, 0x5e, 0, 1, 2}, mac(2)))},
		"call ids of PPTP":         {greFrame(u16(0x3001), u16(etherPPP), u16(uint16(4+len(syn4))), u16(7), u32(1), []byte{0xff, 3, 0, 0x21}, syn4)},
		"TEIDs":                    {udpFrame(portGTPU, gtpuFrame(0x30, 5, ip4From(viewer, camera, protoTCP, tcpSegment(1, 2, SYN, nil, 0))))},
		"IP in a tunnel with id 0": {viaGRE(0, etherIPv4)(request(mac(1), mac(2)))},
	} {
		x := NewScopes()
		for i, f := range frames {
			if p := scopeOf(x, f); !p.Scope.IsZero() || p.NumTunnels == 0 {
				t.Errorf("%s: frame %d has scope %v, %d tunnels", name, i, p.Scope, p.NumTunnels)
			}
		}
	}
}

// Public addresses mean the same host in every tunnel, and broadcasts belong to their space.
func TestScopesOfAddresses(t *testing.T) {
	s := Scope{1: scoped | uint8(TunnelVXLAN), 5: 9}
	for a, want := range map[string]bool{
		"10.1.2.3": true, "172.16.0.1": true, "172.32.0.1": false, "192.168.0.1": true, "192.169.0.1": false, "100.64.0.1": true, "100.128.0.1": false,
		"169.254.1.1": true, "0.0.0.0": true, "255.255.255.255": true, "239.255.255.250": true, "203.0.113.5": false, "2001:db8::1": false, "fe80::1": false, "::": false,
	} {
		b := AddrOf(netip.MustParseAddr(a)).In(s)
		if b.Scope().IsZero() == want || b.Netip() != netip.MustParseAddr(a) {
			t.Errorf("%s in a scope: %v, %v", a, b, b.Netip())
		}
	}
}

func TestScopesAreBounded(t *testing.T) {
	x := NewScopes()
	for i := range uint32(3 * maxSpaces) {
		scopeOf(x, viaGRE(1+i, etherIPv4)(request(macA, macB)))
		f := arpOf(macA, [4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		scopeOf(x, f)
	}
	if s := x.Stats(); s.Spaces != maxSpaces || s.Refused != 2*maxSpaces || s.Replaced == 0 {
		t.Errorf("%+v", s)
	}
	two := viaVXLAN(9)(request(macC, macD))
	var p Packet
	if n := testing.AllocsPerRun(100, func() {
		Decode(&p, LinkEthernet, two, uint32(len(two)))
		x.Apply(&p)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzScopes(f *testing.F) {
	f.Add(viaVXLAN(1)(request(macA, macB)), viaVXLAN(2)(request(macC, macD)))
	f.Add(arpOf(macA, camera), viaGRE(2, etherBridged)(arpOf(macB, camera)))
	mutate.Fuzz(f, func(t *testing.T, a, b []byte) {
		x := NewScopes()
		scopeOf(x, a)
		var plain Packet
		Decode(&plain, LinkEthernet, b, uint32(len(b)))
		p := scopeOf(x, b)
		if p.Src.NetipOf(p.V6) != plain.Src.NetipOf(p.V6) || p.Dst.NetipOf(p.V6) != plain.Dst.NetipOf(p.V6) {
			t.Errorf("a scope changes an address: %v, %v", p.Src, plain.Src)
		}
	})
}
