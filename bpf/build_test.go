// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Builders of frames: each returns its payload with a header. Checksums are 0, because nothing checks them.

func be16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

func ethernet(etherType int, payload []byte) []byte {
	return slices.Concat([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}, be16(etherType), payload)
}

// tag is a VLAN tag after its EtherType.
func tag(id, etherType int, payload []byte) []byte {
	return slices.Concat(be16(id), be16(etherType), payload)
}

const (
	addr4A, addr4B = "10.0.0.1", "10.0.0.2"
	addr6A, addr6B = "2001:db8::1", "2001:db8::2"
)

func ipv4(proto int, payload []byte) []byte {
	return ipv4Flags(proto, 0, nil, payload)
}

func ipv4Flags(proto, fragment int, options, payload []byte) []byte {
	head := 20 + len(options)
	a, b := netip.MustParseAddr(addr4A).As4(), netip.MustParseAddr(addr4B).As4()
	return slices.Concat([]byte{0x40 | byte(head/4), 0}, be16(head+len(payload)), be16(7), be16(fragment),
		[]byte{64, byte(proto), 0, 0}, a[:], b[:], options, payload)
}

func ipv6(next int, payload []byte) []byte {
	a, b := netip.MustParseAddr(addr6A).As16(), netip.MustParseAddr(addr6B).As16()
	return slices.Concat([]byte{0x60, 0, 0, 0}, be16(len(payload)), []byte{byte(next), 64}, a[:], b[:], payload)
}

func udp(src, dst int, payload []byte) []byte {
	return slices.Concat(be16(src), be16(dst), be16(8+len(payload)), be16(0), payload)
}

const flagFIN, flagSYN, flagRST, flagACK = 1, 2, 4, 16

func tcp(src, dst, seq, ack, flags int, payload []byte) []byte {
	return slices.Concat(be16(src), be16(dst), be32(seq), be32(ack), []byte{5 << 4, byte(flags)}, be16(1000), be32(0), payload)
}

func frameOf(ip []byte) []byte {
	if ip[0]>>4 == 6 {
		return ethernet(0x86dd, ip)
	}
	return ethernet(0x0800, ip)
}

// tcp4 and tcp6 are segments of size bytes.
func tcp4(port, size int) []byte {
	return ipv4(6, tcp(40000, port, 1, 1, flagACK, make([]byte, size)))
}
func tcp6(port, size int) []byte {
	return ipv6(6, tcp(40000, port, 1, 1, flagACK, make([]byte, size)))
}

func inVXLAN(frame []byte) []byte {
	return frameOf(ipv4(17, udp(55555, 4789, slices.Concat([]byte{8, 0, 0, 0, 0, 0, 42, 0}, frame))))
}
