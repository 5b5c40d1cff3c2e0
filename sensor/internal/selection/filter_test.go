// SPDX-License-Identifier: Apache-2.0

package selection

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/packet"
)

// sample returns a packet of a session of 10.1.2.3:50000 with 192.168.7.9:443 in VLAN 20.
func sample(change func(*packet.Packet)) *packet.Packet {
	p := &packet.Packet{
		Kind: packet.KindTCP, HasIP: true, Proto: 6, Src: packet.AddrOf(netip.MustParseAddr("10.1.2.3")), Dst: packet.AddrOf(netip.MustParseAddr("192.168.7.9")),
		SrcPort: 50000, DstPort: 443, HasMAC: true, SrcMAC: packet.MAC{2, 0, 0, 0, 0, 1}, DstMAC: packet.MAC{2, 0, 0, 0, 0, 2}, NumVLANs: 1,
	}
	p.VLANs[0] = 20
	if change != nil {
		change(p)
	}
	return p
}

// answer turns a packet into one of the other direction.
func answer(p *packet.Packet) *packet.Packet {
	q := *p
	q.Src, q.Dst, q.SrcPort, q.DstPort, q.SrcMAC, q.DstMAC = p.Dst, p.Src, p.DstPort, p.SrcPort, p.DstMAC, p.SrcMAC
	return &q
}

func TestFilter(t *testing.T) {
	udp6 := func(p *packet.Packet) {
		p.V6, p.Kind, p.Proto, p.SrcPort, p.DstPort = true, packet.KindUDP, 17, 5353, 53
		p.Src, p.Dst = packet.AddrOf(netip.MustParseAddr("2001:db8::1")), packet.AddrOf(netip.MustParseAddr("2001:db8:1::2"))
	}
	ping := func(p *packet.Packet) { p.Kind, p.Proto, p.SrcPort, p.DstPort = packet.KindICMP, 1, 443, 0 }
	arp := func(p *packet.Packet) {
		p.Kind, p.HasIP, p.Body = packet.KindARP, false, make([]byte, 28)
		copy(p.Body, []byte{0, 1, 8, 0, 6, 4, 0, 1})
		copy(p.Body[14:], []byte{10, 1, 2, 3})
		copy(p.Body[24:], []byte{10, 1, 2, 9})
	}
	for _, c := range []struct {
		filter string
		change func(*packet.Packet)
		want   bool
	}{
		{"host 10.1.2.3", nil, true},
		{"src host 10.1.2.3", nil, true},
		{"dst host 10.1.2.3", nil, true}, // its answers
		{"src and dst host 10.1.2.3", nil, false},
		{"src or dst host 10.1.2.3", nil, true},
		{"src 10.1.2.3 and dst 192.168.7.9", nil, true},
		{"src 10.1.2.3 and src 192.168.7.9", nil, false},
		{"host 10.1.2.4", nil, false},
		{"net 10", nil, true},
		{"net 192.168", nil, true},
		{"net 192.168.6", nil, false},
		{"net 10.1.0.0/16 and net 192.168.7.8/30", nil, true},
		{"net 10.1.0.0 mask 255.255.0.0", nil, true},
		{"net 10.2.0.0 mask 255.255.0.0", nil, false},
		{"port 443", nil, true},
		{"tcp port https", nil, true},
		{"udp port 443", nil, false},
		{"tcp dst port 443", nil, true},
		{"portrange 400-500", nil, true},
		{"portrange 444-500", nil, false},
		{"port 443", ping, false},
		{"icmp", ping, true},
		{"vlan", nil, true},
		{"vlan 20", nil, true},
		{"vlan 21", nil, false},
		{"vlan 20 and tcp", nil, true},
		{"ether host 02:00:00:00:00:01", nil, true},
		{"ether src 02:00:00:00:00:02", nil, true},
		{"ether host 02:00:00:00:00:03", nil, false},
		{"ip proto 6", nil, true},
		{`ip proto \tcp`, nil, true},
		{"proto 17", nil, false},
		{"ip6", nil, false},
		{"not host 10.1.2.3", nil, false},
		{"not (port 80 or port 22)", nil, true},
		{"! port 80 && ! port 22", nil, true},
		{"host 10.9.9.9 or 10.1.2.3", nil, true},
		{"port 80 or 443", nil, true},
		{"port 80 and port 81 or port 443", nil, true},
		{"port 443 or port 80 and port 81", nil, false}, // from left to right
		{"port 443 or (port 80 and port 81)", nil, true},
		{"ip6 and udp port 53", udp6, true},
		{"ip6 net 2001:db8::/48", udp6, true},
		{"host 2001:db8:1::2", udp6, true},
		{"net 10", udp6, false},
		{"arp", arp, true},
		{"arp host 10.1.2.9", arp, true},
		{"host 10.1.2.9", arp, true},
		{"ip host 10.1.2.9", arp, false},
		{"broadcast", func(p *packet.Packet) { p.DstMAC = packet.MAC{255, 255, 255, 255, 255, 255} }, true},
		{"ip multicast", func(p *packet.Packet) { p.Dst = packet.AddrOf(netip.MustParseAddr("224.0.0.251")) }, true},
		{"multicast", nil, false},
	} {
		f, err := ParseFilter(c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		p := sample(c.change)
		if got := f.Match(p); got != c.want {
			t.Errorf("%s: %v, want %v", c.filter, got, c.want)
		}
		if c.change == nil && f.Match(answer(p)) != c.want {
			t.Errorf("%s: the answer is not selected like the packet", c.filter)
		}
	}
}

func TestBadFilter(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"", "the expression is empty"},
		{"host", `the expression ends where a value for "host" is expected`},
		{"host and port 80", `"host" needs a value, not "and"`},
		{"host camera.example.com", "host camera.example.com: an address is expected; names are not resolved"},
		{"port 70000", "port 70000: a number from 0 to 65535 or the name of a service is expected"},
		{"net 10.1.0.0/33", "net 10.1.0.0/33: the length of the prefix is a number from 0 to 32"},
		{"net 10.1.2.3/8", "net 10.1.2.3/8: bits beyond the prefix are set; write net 10.0.0.0/8"},
		{"(port 80", "a closing parenthesis is missing"},
		{"port 80)", `")" is not expected here`},
		{"port 80 host 10.0.0.1", `"host" is not expected here: write and or or before it`},
		{"less 100", `"less" is not supported: it selects single packets, and sessions are selected as a whole`},
		{"tcp[13] & 2 != 0", `"tcp[13]" is not supported: it selects single packets, and sessions are selected as a whole`},
		{"10.0.0.1", `"10.0.0.1" is not expected here: a condition begins with host, net, port, portrange, proto, vlan, src, dst, ether or the name of a protocol`},
		{"vlan 5000", "vlan 5000: a number from 0 to 4095 is expected"},
		{"icmp port 3", "port 3: icmp has no ports"},
		{"port 80 and", "the expression ends where a condition is expected"},
		{strings.Repeat("(", 200) + "port 1" + strings.Repeat(")", 200), "the expression is nested deeper than 100 levels"},
	} {
		if _, err := ParseFilter(c.filter); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.filter, err, c.want)
		}
	}
}

// FuzzFilter checks that a filter selects both directions of a session, or none.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"src host 10.1.2.3 and not port 80", "vlan 20 or (ip6 net 2001:db8::/32)", "ether src 02:00:00:00:00:01"} {
		f.Add(s, binary.BigEndian.AppendUint32(nil, 0x0a010203))
	}
	mutate.Fuzz(f, func(t *testing.T, text string, b []byte) {
		x, err := ParseFilter(text)
		if err != nil {
			return
		}
		b = append(slices.Clone(b), make([]byte, 16)...)
		p := sample(func(p *packet.Packet) {
			p.Src = packet.AddrOf(netip.AddrFrom4([4]byte(b)))
			p.SrcPort, p.Proto = uint16(b[4])<<8|uint16(b[5]), b[6]
		})
		if x.Match(p) != x.Match(answer(p)) {
			t.Errorf("%q selects one direction only", text)
		}
	})
}
