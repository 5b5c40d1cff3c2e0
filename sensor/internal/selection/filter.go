// SPDX-License-Identifier: Apache-2.0

// Package selection selects a part of a capture: sessions by an expression in the syntax of tcpdump, and records by time, device and
// Community ID.
package selection

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"stillwatch/sensor/internal/packet"
)

// Filter is an expression in the syntax of pcap-filter(7). It selects sessions, not packets: a session is selected if a packet in either of its
// directions would match. So "src host a" also selects the answers to a, and a filter never changes who opened a session.
type Filter struct {
	text string
	test test
}

// String returns the expression as it was given.
func (f *Filter) String() string { return f.text }

// test reports whether a packet matches a part of the expression.
type test func(*view) bool

// view is one direction of a packet.
type view struct {
	p                *packet.Packet
	src, dst         packet.Addr
	srcPort, dstPort uint16
	srcMAC, dstMAC   packet.MAC
	v4, v6           bool // src and dst are addresses of this version
}

// Match reports whether a decoded packet belongs to a selected session. The expression is about the innermost packet, as sessions are. VLAN
// tags of all layers count.
func (f *Filter) Match(p *packet.Packet) bool {
	v := view{p: p, src: p.Src, dst: p.Dst, srcMAC: p.SrcMAC, dstMAC: p.DstMAC, v4: p.HasIP && !p.V6, v6: p.HasIP && p.V6}
	if hasPorts(p.Proto) {
		v.srcPort, v.dstPort = p.SrcPort, p.DstPort
	}
	if p.Kind == packet.KindARP {
		v.arp()
	}
	if f.test(&v) {
		return true
	}
	v.src, v.dst, v.srcPort, v.dstPort, v.srcMAC, v.dstMAC = v.dst, v.src, v.dstPort, v.srcPort, v.dstMAC, v.srcMAC
	return f.test(&v)
}

// arp reads the addresses of an ARP packet for IPv4 over Ethernet (RFC 826).
func (v *view) arp() {
	b := v.p.Body
	if len(b) < 28 || !bytes.Equal(b[:6], []byte{0, 1, 8, 0, 6, 4}) {
		return
	}
	v.src = packet.AddrOf(netip.AddrFrom4([4]byte(b[14:])))
	v.dst = packet.AddrOf(netip.AddrFrom4([4]byte(b[24:])))
	v.v4 = true
}

const (
	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58
	protoSCTP  = 132
)

func hasPorts(proto uint8) bool { return proto == protoTCP || proto == protoUDP || proto == protoSCTP }

func both(a, b test) test   { return func(v *view) bool { return a(v) && b(v) } }
func either(a, b test) test { return func(v *view) bool { return a(v) || b(v) } }
func not(a test) test       { return func(v *view) bool { return !a(v) } }

// directed applies a test of one end to the ends that dir names.
func directed(dir direction, end func(v *view, dst bool) bool) test {
	switch dir {
	case dirSrc:
		return func(v *view) bool { return end(v, false) }
	case dirDst:
		return func(v *view) bool { return end(v, true) }
	case dirBoth:
		return func(v *view) bool { return end(v, false) && end(v, true) }
	}
	return func(v *view) bool { return end(v, false) || end(v, true) }
}

func (v *view) addr(dst bool) netip.Addr {
	a := &v.src
	if dst {
		a = &v.dst
	}
	switch {
	case v.v4:
		return a.Netip()
	case v.v6:
		return netip.AddrFrom16(*a)
	}
	return netip.Addr{}
}

// network tests an address.
func network(dir direction, n netip.Prefix) test {
	return directed(dir, func(v *view, dst bool) bool { return n.Contains(v.addr(dst)) })
}

// ports tests a port.
func ports(dir direction, low, high uint16) test {
	return directed(dir, func(v *view, dst bool) bool {
		n := v.srcPort
		if dst {
			n = v.dstPort
		}
		return hasPorts(v.p.Proto) && v.p.HasIP && low <= n && n <= high
	})
}

// hardware tests a MAC.
func hardware(dir direction, m packet.MAC) test {
	return directed(dir, func(v *view, dst bool) bool {
		if dst {
			return v.p.HasMAC && v.dstMAC == m
		}
		return v.p.HasMAC && v.srcMAC == m
	})
}

// toGroup reports whether a packet was sent to the group addresses of a layer.
func toGroup(layer string, broadcast bool) test {
	return func(v *view) bool {
		switch {
		case layer == "ip6":
			return v.v6 && !broadcast && v.addr(true).IsMulticast()
		case layer == "ip" && broadcast:
			a := v.dst
			return v.v4 && (binary.BigEndian.Uint32(a[12:]) == 1<<32-1 || binary.BigEndian.Uint32(a[12:]) == 0)
		case layer == "ip":
			return v.v4 && v.addr(true).IsMulticast()
		case broadcast:
			return v.p.HasMAC && v.dstMAC == packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
		}
		return v.p.HasMAC && v.dstMAC.IsGroup()
	}
}

// tagged tests the VLAN tags; any is true for any tag.
func tagged(id uint16, any bool) test {
	return func(v *view) bool {
		for _, t := range v.p.VLANs[:v.p.NumVLANs] {
			if any || t == id {
				return true
			}
		}
		return false
	}
}

// protocols maps the names of protocols to tests.
var protocols = map[string]test{
	"ether": func(v *view) bool { return v.p.HasMAC },
	"ip":    func(v *view) bool { return v.p.HasIP && !v.p.V6 },
	"ip6":   func(v *view) bool { return v.p.HasIP && v.p.V6 },
	"arp":   func(v *view) bool { return v.p.Kind == packet.KindARP },
	"tcp":   ipProto(protoTCP),
	"udp":   ipProto(protoUDP),
	"sctp":  ipProto(protoSCTP),
	"icmp":  ipProto(protoICMP),
	"icmp6": ipProto(protoICMP6),
	"igmp":  ipProto(2),
	"esp":   ipProto(50),
	"ah":    ipProto(51),
	"pim":   ipProto(103),
	"vrrp":  ipProto(112),
}

func ipProto(n uint8) test { return func(v *view) bool { return v.p.HasIP && v.p.Proto == n } }
