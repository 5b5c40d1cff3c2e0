// SPDX-License-Identifier: Apache-2.0

package trace

import "encoding/binary"

const (
	tcp = 6
	udp = 17

	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagPSH = 0x08
	flagACK = 0x10

	ethLen     = 14
	ipLen      = 20
	ip6Len     = 40
	tcpLen     = 20
	udpLen     = 8
	minFrame   = 60 // Ethernet without its check sequence
	maxSegment = 1460
)

type mac [6]byte

// everyone is the broadcast address. It is only read, like synOptions.
var everyone = mac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// arpExchange is used in place of an IP protocol number for an ARP exchange.
const arpExchange = 0

// synOptions: MSS 1460, SACK permitted, no time stamps, window scale 8.
var synOptions = [12]byte{2, 4, 0x05, 0xb4, 1, 3, 3, 8, 4, 2, 1, 0}

// host is an endpoint.
type host struct {
	ip  uint32
	mac mac // of the host, or of the router in front of it
	ttl uint8
	far bool // behind a router
}

// segment has the fields that differ between the frames of a flow.
type segment struct {
	src, dst         *host
	srcMAC, dstMAC   mac
	srcPort, dstPort uint16
	seq, ack         uint32
	id               uint16 // of IP
	flags            uint8  // TCP
	options          []byte // TCP
	size             int    // payload
	v6               bool
}

var be = binary.BigEndian

// ethernet fills the Ethernet header.
func ethernet(b []byte, dst, src mac, etherType uint16) {
	copy(b, dst[:])
	copy(b[6:], src[:])
	be.PutUint16(b[12:], etherType)
}

// ipv4 fills an IPv4 header without options; total includes it. fragment is the flags and offset field.
func ipv4(b []byte, src, dst uint32, proto, ttl uint8, total int, id, fragment uint16) {
	b[0], b[1] = 0x45, 0
	be.PutUint16(b[2:], uint16(total))
	be.PutUint16(b[4:], id)
	be.PutUint16(b[6:], fragment)
	b[8], b[9] = ttl, proto
	b[10], b[11] = 0, 0
	be.PutUint32(b[12:], src)
	be.PutUint32(b[16:], dst)
	be.PutUint16(b[10:], checksum(b[:ipLen]))
}

// ipv6 fills an IPv6 header; the payload length follows it. Its addresses are derived from the IPv4 addresses.
func ipv6(b []byte, src, dst uint32, proto, hops uint8, length int) {
	be.PutUint32(b, 6<<28)
	be.PutUint16(b[4:], uint16(length))
	b[6], b[7] = proto, hops
	address6(b[8:], src)
	address6(b[24:], dst)
}

// address6 returns the IPv6 address of a host: in one documentation prefix (RFC 3849) for 10.0.0.0/8, in another for the rest.
func address6(b []byte, ip uint32) {
	be.PutUint32(b, 0x20010db8)
	be.PutUint32(b[4:], 0xff)
	if ip>>24 == 10 {
		be.PutUint32(b[4:], ip>>16&0xff)
	}
	be.PutUint32(b[8:], 0)
	be.PutUint32(b[12:], ip)
}

// network fills the Ethernet and IP headers and returns the length bytes behind them for the transport header and payload.
func (o *output) network(t int64, s *segment, proto uint8, length int) []byte {
	if s.v6 {
		b := o.padded(t, ethLen+ip6Len+length)
		ethernet(b, s.dstMAC, s.srcMAC, 0x86dd)
		ipv6(b[ethLen:], s.src.ip, s.dst.ip, proto, s.src.ttl, length)
		return b[ethLen+ip6Len:][:length]
	}
	fragment := uint16(0)
	if proto == tcp {
		fragment = dontFragment
	}
	b := o.padded(t, ethLen+ipLen+length)
	ethernet(b, s.dstMAC, s.srcMAC, 0x0800)
	ipv4(b[ethLen:], s.src.ip, s.dst.ip, proto, s.src.ttl, ipLen+length, s.id, fragment)
	return b[ethLen+ipLen:][:length]
}

// checksum returns the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

const dontFragment = 0x4000

// tcp writes the frame of a segment and returns its payload, to be filled in. The TCP checksum stays 0: nothing checks it
// on a mirror port, because checksum offload often leaves it wrong there.
func (o *output) tcp(t int64, s *segment) []byte {
	head := tcpLen + len(s.options)
	h := o.network(t, s, tcp, head+s.size)
	be.PutUint16(h, s.srcPort)
	be.PutUint16(h[2:], s.dstPort)
	be.PutUint32(h[4:], s.seq)
	be.PutUint32(h[8:], s.ack)
	h[12] = uint8(head / 4 << 4)
	h[13] = s.flags
	be.PutUint16(h[14:], 0xfaf0)
	be.PutUint32(h[16:], 0)
	copy(h[tcpLen:], s.options)
	return h[head:]
}

// udp writes the frame of a datagram and returns its payload, to be filled in. Its checksum is absent (RFC 768),
// or any value where it may not be (RFC 8200 section 8.1).
func (o *output) udp(t int64, s *segment) []byte {
	h := o.network(t, s, udp, udpLen+s.size)
	be.PutUint16(h, s.srcPort)
	be.PutUint16(h[2:], s.dstPort)
	be.PutUint16(h[4:], uint16(udpLen+s.size))
	be.PutUint16(h[6:], 0)
	if s.v6 {
		be.PutUint16(h[6:], 0xffff)
	}
	return h[udpLen:]
}

// arp writes an ARP request (operation 1) or reply (2), RFC 826.
func (o *output) arp(t int64, operation uint16, dst mac, from *host, target mac, targetIP uint32) {
	b := o.padded(t, ethLen+28)
	ethernet(b, dst, from.mac, 0x0806)
	a := b[ethLen:]
	copy(a, []byte{0, 1, 8, 0, 6, 4})
	be.PutUint16(a[6:], operation)
	copy(a[8:], from.mac[:])
	be.PutUint32(a[14:], from.ip)
	copy(a[18:], target[:])
	be.PutUint32(a[24:], targetIP)
}

// padded returns a frame of n bytes, padded with zeros to the minimum length of Ethernet.
func (o *output) padded(t int64, n int) []byte {
	b := o.frame(t, max(n, minFrame))
	if n < minFrame {
		clear(b[n:])
	}
	return b[:max(n, minFrame)]
}
