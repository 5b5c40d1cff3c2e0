// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
)

// inside is an IP packet with what the program must read from it.
type inside struct {
	ip                []byte
	proto             uint8
	loPort, hiPort    uint16
	ipBytes, payload  uint64
	sentByLo, version int
}

func insides() map[string]inside {
	data := make([]byte, 100)
	hop := func(next int, payload []byte) []byte {
		return slices.Concat([]byte{byte(next), 0, 1, 4, 0, 0, 0, 0}, payload)
	}
	auth := func(next int, payload []byte) []byte {
		return slices.Concat([]byte{byte(next), 4}, make([]byte, 22), payload)
	}
	atomic := func(next int, payload []byte) []byte {
		return slices.Concat([]byte{byte(next), 0, 0, 0, 1, 2, 3, 4}, payload)
	}
	seg := tcp(40000, 443, 1, 0, flagACK, data)
	return map[string]inside{
		"tcp":          {ipv4(6, seg), 6, 40000, 443, 140, 100, 0, 4},
		"tcp options":  {ipv4(6, withOptions(seg, 12)), 6, 40000, 443, 152, 100, 0, 4},
		"tcp empty":    {ipv4(6, tcp(40000, 443, 1, 0, flagACK, nil)), 6, 40000, 443, 40, 0, 0, 4},
		"ip options":   {ipv4Flags(6, 0, make([]byte, 8), seg), 6, 40000, 443, 148, 100, 0, 4},
		"udp":          {ipv4(17, udp(40000, 5000, data)), 17, 40000, 5000, 128, 100, 0, 4},
		"udp short":    {ipv4(17, slices.Concat(udp(40000, 5000, data), []byte{1, 2})), 17, 40000, 5000, 130, 100, 0, 4},
		"udp no size":  {ipv4(17, slices.Concat(be16(40000), be16(5000), be32(0), data)), 17, 40000, 5000, 128, 100, 0, 4},
		"sctp":         {ipv4(132, slices.Concat(be16(36412), be16(36413), be32(1), be32(0), data)), 132, 36412, 36413, 132, 100, 0, 4},
		"echo":         {ipv4(1, slices.Concat([]byte{8, 0, 0, 0, 0, 1, 0, 1}, data)), 1, 8, 0, 128, 100, 0, 4},
		"unreachable":  {ipv4(1, slices.Concat([]byte{3, 13, 0, 0, 0, 0, 0, 0}, data)), 1, 3, 13, 128, 100, 0, 4},
		"esp":          {ipv4(50, data), 50, 0, 0, 120, 100, 0, 4},
		"tcp6":         {ipv6(6, seg), 6, 40000, 443, 160, 100, 0, 6},
		"udp6":         {ipv6(17, udp(40000, 5000, data)), 17, 40000, 5000, 148, 100, 0, 6},
		"echo6":        {ipv6(58, slices.Concat([]byte{128, 0, 0, 0, 0, 1, 0, 1}, data)), 58, 128, 129, 148, 100, 0, 6},
		"hop by hop":   {ipv6(0, hop(6, seg)), 6, 40000, 443, 168, 100, 0, 6},
		"three before": {ipv6(0, hop(43, hop(60, hop(17, udp(40000, 5000, data))))), 17, 40000, 5000, 172, 100, 0, 6},
		"ah":           {ipv6(51, auth(6, seg)), 6, 40000, 443, 184, 100, 0, 6},
		"atomic":       {ipv6(44, atomic(6, seg)), 6, 40000, 443, 168, 100, 0, 6},
		"none":         {ipv6(59, data), 59, 0, 0, 140, 100, 0, 6},
	}
}

// withOptions adds n bytes of options to a TCP segment without options.
func withOptions(segment []byte, n int) []byte {
	s := slices.Concat(segment[:20], make([]byte, n), segment[20:])
	s[12] = byte(5+n/4) << 4
	return s
}

func etherTypeOf(ip []byte) int {
	if ip[0]>>4 == 6 {
		return 0x86dd
	}
	return 0x0800
}

func mpls(ip []byte, labels ...int) (b []byte) {
	for i, l := range labels {
		bottom := 0
		if i == len(labels)-1 {
			bottom = 1
		}
		b = append(b, be32(l<<12|bottom<<8|64)...)
	}
	return append(b, ip...)
}

func gre(flags, etherType int, rest ...[]byte) []byte {
	return slices.Concat(slices.Insert(rest, 0, be16(flags), be16(etherType))...)
}

// outsides are the encapsulations of an IP packet on a mirror port, each with the bytes before the innermost Ethernet or IP header.
func outsides() map[string]func(ip []byte) []byte {
	eth := func(ip []byte) []byte { return frameOf(ip) }
	in4 := func(proto int, b []byte) []byte { return frameOf(ipv4(proto, b)) }
	return map[string]func(ip []byte) []byte{
		"plain": eth,
		"vlan":  func(ip []byte) []byte { return ethernet(0x8100, tag(5, etherTypeOf(ip), ip)) },
		"qinq":  func(ip []byte) []byte { return ethernet(0x88a8, tag(5, 0x8100, tag(6, etherTypeOf(ip), ip))) },
		"three tags": func(ip []byte) []byte {
			return ethernet(0x9100, tag(5, 0x9200, tag(6, 0x8100, tag(7, etherTypeOf(ip), ip))))
		},
		"vn tag": func(ip []byte) []byte { return ethernet(0x8926, slices.Concat(be32(0), be16(etherTypeOf(ip)), ip)) },
		"cmd": func(ip []byte) []byte {
			return ethernet(0x8909, slices.Concat(make([]byte, 6), be16(etherTypeOf(ip)), ip))
		},
		"timestamp": func(ip []byte) []byte {
			return ethernet(0x8988, slices.Concat(make([]byte, 6), be16(0x8100), tag(5, etherTypeOf(ip), ip)))
		},
		"e tag": func(ip []byte) []byte {
			return ethernet(0x893f, slices.Concat(make([]byte, 6), be16(etherTypeOf(ip)), ip))
		},
		"hsr":          func(ip []byte) []byte { return ethernet(0x892f, slices.Concat(be32(1), be16(etherTypeOf(ip)), ip)) },
		"congestion":   func(ip []byte) []byte { return ethernet(0x22e9, slices.Concat(be16(1), be16(etherTypeOf(ip)), ip)) },
		"mpls":         func(ip []byte) []byte { return ethernet(0x8847, mpls(ip, 16)) },
		"mpls labels":  func(ip []byte) []byte { return ethernet(0x8847, mpls(ip, 16, 17, 18)) },
		"pseudo wire":  func(ip []byte) []byte { return ethernet(0x8847, mpls(eth(ip), 16, 17)) },
		"control word": func(ip []byte) []byte { return ethernet(0x8848, mpls(slices.Concat(be32(0), eth(ip)), 16)) },
		"gre":          func(ip []byte) []byte { return in4(47, gre(0, etherTypeOf(ip), ip)) },
		"gre full": func(ip []byte) []byte {
			return in4(47, gre(0xb000, etherTypeOf(ip), be32(0), be32(77), be32(1), ip))
		},
		"gre bridged": func(ip []byte) []byte { return in4(47, gre(0, 0x6558, eth(ip))) },
		"gre mpls":    func(ip []byte) []byte { return in4(47, gre(0, 0x8847, mpls(ip, 16))) },
		"gre6":        func(ip []byte) []byte { return frameOf(ipv6(47, gre(0, etherTypeOf(ip), ip))) },
		"erspan 1":    func(ip []byte) []byte { return in4(47, gre(0, 0x88be, eth(ip))) },
		"erspan 2": func(ip []byte) []byte {
			return in4(47, gre(0x1000, 0x88be, be32(9), be32(0x10000000|100), be32(0), eth(ip)))
		},
		"erspan 2 with a timestamp": func(ip []byte) []byte {
			return in4(47, gre(0x1000, 0x88be, be32(9), be32(0x10640000|100), be32(0), ethernet(0x8988, slices.Concat(make([]byte, 6), be16(etherTypeOf(ip)), ip))))
		},
		"erspan 3": func(ip []byte) []byte {
			return in4(47, gre(0x1000, 0x22eb, be32(9), be32(0x20000000|100), be32(0), be32(0), eth(ip)))
		},
		"erspan 3 platform": func(ip []byte) []byte {
			return in4(47, gre(0x1000, 0x22eb, be32(9), be32(0x20000000|100), be32(0), be32(1), make([]byte, 8), eth(ip)))
		},
		"vxlan":      func(ip []byte) []byte { return inVXLAN(eth(ip)) },
		"vxlan vlan": func(ip []byte) []byte { return inVXLAN(ethernet(0x8100, tag(5, etherTypeOf(ip), ip))) },
		"vxlan policy": func(ip []byte) []byte {
			return in4(17, udp(1, 4789, slices.Concat([]byte{0x88, 0, 1, 2, 0, 0, 42, 0}, eth(ip))))
		},
		"vxlan 6": func(ip []byte) []byte {
			return frameOf(ipv6(17, udp(1, 8472, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 42, 0}, eth(ip)))))
		},
		"vxlan twice":  func(ip []byte) []byte { return inVXLAN(inVXLAN(eth(ip))) },
		"ip in ip":     func(ip []byte) []byte { return in4(4+(etherTypeOf(ip)>>15)*37, ip) },
		"gre in vxlan": func(ip []byte) []byte { return inVXLAN(in4(47, gre(0, etherTypeOf(ip), ip))) },
		"vlan gre vlan": func(ip []byte) []byte {
			return ethernet(0x8100, tag(5, 0x0800, ipv4(47, gre(0, 0x6558, ethernet(0x8100, tag(6, etherTypeOf(ip), ip))))))
		},
	}
}

// key is the session that the program must find.
func (x inside) key() Key {
	k := Key{Lo: addr(addr4A), Hi: addr(addr4B), LoPort: x.loPort, HiPort: x.hiPort, Proto: x.proto}
	if x.version == 6 {
		k.Lo, k.Hi, k.V6 = addr(addr6A), addr(addr6B), 1
	}
	return k
}

// The program finds the session and the lengths of a packet in every encapsulation.
func TestEveryEncapsulationIsDecoded(t *testing.T) { onBoth(t, everyEncapsulationIsDecoded) }

func everyEncapsulationIsDecoded(t *testing.T, load loader) {
	b := newBench(t, load, Config{CountOnly: true, Sessions: 64})
	for _, around := range slices.Sorted(maps.Keys(outsides())) {
		for _, name := range slices.Sorted(maps.Keys(insides())) {
			x := insides()[name]
			frame := outsides()[around](x.ip)
			if why, _ := b.run(t, frame); why != Shunted {
				t.Errorf("%s in %s: %v", name, around, why)
				continue
			}
			got := b.counts(t)
			if len(got) != 1 {
				t.Errorf("%s in %s: %d sessions", name, around, len(got))
				continue
			}
			c := got[0]
			if c.Key != x.key() || c.Packets != [2]uint64{1, 0} || c.IPBytes != [2]uint64{x.ipBytes, 0} || c.PayloadBytes != [2]uint64{x.payload, 0} {
				t.Errorf("%s in %s: %+v", name, around, c)
			}
		}
	}
	if c := b.counts(t); len(c) != 0 {
		t.Errorf("told twice: %+v", c)
	}
}

// A truncated frame is copied, unless the mirror cut the payload of a tunnel and the lengths are known.
func TestEveryTruncationIsCopied(t *testing.T) { onBoth(t, everyTruncationIsCopied) }

func everyTruncationIsCopied(t *testing.T, load loader) {
	b := newBench(t, load, Config{CountOnly: true, Sessions: 64})
	for around, put := range outsides() {
		for _, name := range []string{"tcp options", "udp", "echo", "hop by hop"} {
			x := insides()[name]
			whole := put(x.ip)
			for n := 14; n < len(whole); n++ {
				why, _ := b.run(t, whole[:n])
				got := b.counts(t)
				switch {
				case why >= NoIP && why < RingFull:
					if len(got) != 0 {
						t.Errorf("%s in %s, %d of %d bytes: copied for %v, and counted: %+v", name, around, n, len(whole), why, got)
					}
				case why == Shunted && len(got) == 1 && got[0].Key == x.key() && got[0].IPBytes[0] == x.ipBytes && got[0].PayloadBytes[0] == x.payload:
				default:
					t.Errorf("%s in %s, %d of %d bytes: %v %+v", name, around, n, len(whole), why, got)
				}
			}
		}
	}
}

// A frame that the program cannot decode with certainty is copied, with the reason.
func TestUncertainFramesAreCopied(t *testing.T) { onBoth(t, uncertainFramesAreCopied) }

func uncertainFramesAreCopied(t *testing.T, load loader) {
	data := make([]byte, 64)
	seg := tcp(40000, 443, 1, 0, flagACK, data)
	deep := ipv4(6, seg)
	for range 9 {
		deep = ipv4(47, gre(0, 0x0800, deep))
	}
	tags := ipv4(6, seg)
	for range 9 {
		tags = tag(1, 0x8100, tags)
	}
	long := func(b []byte, claim int) []byte { return slices.Concat(b[:2], be16(claim), b[4:]) }
	offset := slices.Clone(seg)
	offset[12] = 4 << 4
	beyond := slices.Clone(seg)
	beyond[12] = 15 << 4
	cases := map[string]struct {
		frame []byte
		want  Reason
	}{
		"arp":             {ethernet(0x0806, make([]byte, 28)), NoIP},
		"lldp":            {ethernet(0x88cc, data), NoIP},
		"arp in vxlan":    {inVXLAN(ethernet(0x0806, make([]byte, 28))), NoIP},
		"llc":             {ethernet(60, data), Tunnel},
		"pppoe":           {ethernet(0x8864, data), Tunnel},
		"macsec":          {ethernet(0x88e5, data), Tunnel},
		"fabric path":     {ethernet(0x8903, slices.Concat(be16(64), frameOf(ipv4(6, seg)))), Tunnel},
		"trill":           {ethernet(0x22f3, slices.Concat(make([]byte, 6), frameOf(ipv4(6, seg)))), Tunnel},
		"unknown tag":     {ethernet(0xc008, slices.Concat(be16(0), be16(0x0800), ipv4(6, seg))), NoIP},
		"tags":            {ethernet(0x8100, tags), Nesting},
		"labels":          {ethernet(0x8847, mpls(ipv4(6, seg), make([]int, 17)...)), Nesting},
		"mpls of unknown": {ethernet(0x8847, mpls(slices.Repeat([]byte{0x11}, 64), 16)), Tunnel},
		"gre in gre":      {frameOf(deep), Nesting},
		"version":         {ethernet(0x0800, slices.Concat([]byte{0x65}, ipv4(6, seg)[1:])), Malformed},
		"version 6":       {ethernet(0x86dd, slices.Concat([]byte{0x40}, ipv6(6, seg)[1:])), Malformed},
		"header length":   {ethernet(0x0800, slices.Concat([]byte{0x44}, ipv4(6, seg)[1:])), Malformed},
		"total too short": {ethernet(0x0800, long(ipv4(6, seg), 19)), Malformed},
		"total too long":  {ethernet(0x0800, long(ipv4(6, seg), 1000)), Malformed},
		"jumbogram": {ethernet(0x86dd, func() []byte {
			b := ipv6(0, slices.Concat([]byte{6, 0, 0xc2, 4}, be32(100), seg))
			b[4], b[5] = 0, 0
			return b
		}()), Malformed},
		"data offset":      {frameOf(ipv4(6, offset)), Malformed},
		"data offset long": {frameOf(ipv4(6, beyond[:40])), Malformed},
		"udp length":       {frameOf(ipv4(17, slices.Concat(be16(1), be16(2), be16(7), be16(0), data))), Malformed},
		"udp length long":  {frameOf(ipv4(17, slices.Concat(be16(1), be16(2), be16(500), be16(0), data))), Malformed},
		"fragment":         {frameOf(ipv4Flags(17, 0x2000, nil, data)), Fragment},
		"last fragment":    {frameOf(ipv4Flags(17, 100, nil, data)), Fragment},
		"fragment 6":       {frameOf(ipv6(44, slices.Concat([]byte{17, 0, 0, 1, 0, 0, 0, 1}, data))), Fragment},
		"fragment inside":  {inVXLAN(frameOf(ipv4Flags(17, 0x2000, nil, data))), Fragment},
		"extensions":       {frameOf(ipv6(60, slices.Concat(slices.Repeat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, 8), []byte{6, 0, 1, 4, 0, 0, 0, 0}, seg))), Nesting},
		"nothing follows":  {frameOf(ipv6(60, []byte{59, 0, 1, 4, 0, 0, 0, 0})), Tunnel},
		"gre version":      {frameOf(ipv4(47, gre(1, 0x880b, data))), Tunnel},
		"gre routing":      {frameOf(ipv4(47, gre(0x4000, 0x0800, data))), Tunnel},
		"gre keepalive":    {frameOf(ipv4(47, gre(0, 0))), Tunnel},
		"erspan of ip":     {frameOf(ipv4(47, gre(0x1000, 0x22eb, be32(0), be32(0x20000000), be32(0), be32(2<<10), data))), Tunnel},
		"vxlan flags":      {frameOf(ipv4(17, udp(1, 4789, slices.Concat(make([]byte, 8), data)))), Tunnel},
		"geneve":           {frameOf(ipv4(17, udp(1, 6081, data))), Tunnel},
		"gtp":              {frameOf(ipv4(17, udp(2152, 1, data))), Tunnel},
		"ah in ipv4":       {frameOf(ipv4(51, data)), Tunnel},
	}
	b := newBench(t, load, Config{CountOnly: true, Sessions: 64})
	for name, c := range cases {
		if why, _ := b.run(t, c.frame); why != c.want {
			t.Errorf("%s: %v, not %v", name, why, c.want)
		}
	}
	if c := b.counts(t); len(c) != 0 {
		t.Errorf("counted: %+v", c)
	}
}

// The addresses of the innermost packet decide whether it is watched.
func TestWatch(t *testing.T) { onBoth(t, watch) }

func watch(t *testing.T, load loader) {
	b := newBench(t, load, Config{CountOnly: true, Sessions: 64})
	prefix := func(s ...string) (all []netip.Prefix) {
		for _, x := range s {
			all = append(all, netip.MustParsePrefix(x))
		}
		return all
	}
	mac := [6]byte{2, 0, 0, 0, 0, 1}
	frame4, frame6 := frameOf(tcp4(443, 10)), frameOf(tcp6(443, 10))
	for i, c := range []struct {
		prefixes []netip.Prefix
		macs     [][6]byte
		v4, v6   bool
	}{
		{nil, nil, true, true},
		{prefix("192.0.2.0/24"), nil, false, false},
		{prefix("10.0.0.1/32"), nil, true, false},
		{prefix("10.0.0.2/32", "192.0.2.7/32"), nil, true, false},
		{prefix("10.0.0.0/31"), nil, true, false},
		{prefix("10.0.0.3/32", "2001:db8::3/128"), nil, false, false},
		{prefix("10.0.0.77/8"), nil, true, false},
		{prefix("::ffff:10.0.0.1/128"), nil, true, false},
		{prefix("2001:db8::2/128"), nil, false, true},
		{prefix("2001:db8::/32"), nil, false, true},
		{prefix("0.0.0.0/0"), nil, true, false},
		{prefix("::/0"), nil, false, true},
		{prefix("192.0.2.0/24"), [][6]byte{mac}, true, true},
		{nil, [][6]byte{{2, 0, 0, 0, 0, 2}}, true, true},
		{nil, [][6]byte{{2, 0, 0, 0, 0, 3}}, false, false},
		{nil, nil, true, true},
	} {
		if err := b.SetWatch(c.prefixes, c.macs); err != nil {
			t.Fatal(err)
		}
		for around, put := range map[string]func([]byte) []byte{"plain": func(f []byte) []byte { return f }, "vxlan": inVXLAN} {
			for j, want := range []bool{c.v4, c.v6} {
				frame := put([][]byte{frame4, frame6}[j])
				for range 2 { // the second time the answer is known
					why, _ := b.run(t, frame)
					if want != (why == Shunted) || !want && why != Unwatched {
						t.Errorf("%d: IPv%d in %s: %v", i, 4+2*j, around, why)
					}
				}
			}
		}
		if n := len(b.counts(t)); n != map[bool]int{true: 1}[c.v4]+map[bool]int{true: 1}[c.v6] {
			t.Errorf("%d: %d sessions", i, n)
		}
	}
	if err := b.SetWatch([]netip.Prefix{{}}, nil); err == nil {
		t.Error("an invalid prefix was taken")
	}
}

// Discovery protocols are copied from all devices.
func TestDiscoveryIsCopied(t *testing.T) { onBoth(t, discoveryIsCopied) }

func discoveryIsCopied(t *testing.T, load loader) {
	b := newBench(t, load, Config{CountOnly: true, Sessions: 64})
	if err := b.SetWatch([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, nil); err != nil {
		t.Fatal(err)
	}
	for _, port := range []int{53, 67, 68, 137, 138, 427, 546, 547, 1900, 3702, 5353, 5355, 5678, 6666, 6667, 10001, 34569, 37020, 37810} {
		for _, frame := range [][]byte{frameOf(ipv4(17, udp(40000, port, nil))), inVXLAN(frameOf(ipv6(17, udp(port, 40000, nil))))} {
			if why, _ := b.run(t, frame); why != Discovery {
				t.Errorf("port %d: %v", port, why)
			}
		}
		if why, _ := b.run(t, frameOf(tcp4(port, 10))); why != Unwatched {
			t.Errorf("port %d of TCP: %v", port, why)
		}
	}
	for typ := range 256 {
		want := Unwatched
		if typ >= 133 && typ <= 137 {
			want = Discovery
		}
		for n, frame := range [][]byte{frameOf(ipv6(58, []byte{byte(typ), 0, 0, 0, 0, 0, 0, 0})), frameOf(ipv4(1, []byte{byte(typ), 0, 0, 0, 0, 0, 0, 0}))} {
			if why, _ := b.run(t, frame); why != want && n == 0 || n == 1 && why != Unwatched {
				t.Errorf("ICMP type %d (%s): %v", typ, fmt.Sprint(n), why)
			}
		}
	}
}
