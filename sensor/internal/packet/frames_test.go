// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"slices"
)

// Builders of frames. Addresses are from the documentation ranges. src and dst of nested packets differ in the host part.

func u16(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }
func u32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

var (
	macA = MAC{0x02, 0, 0, 0, 0, 0x0a}
	macB = MAC{0x02, 0, 0, 0, 0, 0x0b}
	macC = MAC{0x02, 0, 0, 0, 0, 0x0c}
	macD = MAC{0x02, 0, 0, 0, 0, 0x0d}
	hdr  = struct{ src, dst [4]byte }{[4]byte{192, 0, 2, 1}, [4]byte{198, 51, 100, 2}}
)

// ethFrame is a frame from macA to macB.
func ethFrame(et uint16, payload []byte) []byte { return ethBetween(macA, macB, et, payload) }

func ethBetween(src, dst MAC, et uint16, payload []byte) []byte {
	return join(dst[:], src[:], u16(et), payload)
}

// tagged is what follows the EtherType of a tag: id, the next EtherType, payload.
func tagged(id, et uint16, payload []byte) []byte { return join(u16(id), u16(et), payload) }

func ip4(proto uint8, payload []byte) []byte { return ip4From(hdr.src, hdr.dst, proto, payload) }

func ip4From(src, dst [4]byte, proto uint8, payload []byte) []byte {
	return join([]byte{0x45, 0}, u16(uint16(20+len(payload))), u16(0x1234), u16(0), []byte{64, proto, 0, 0}, src[:], dst[:], payload)
}

// ip4Frag is a fragment at a byte offset.
func ip4Frag(id uint16, offset int, more bool, proto uint8, piece []byte) []byte {
	b := ip4(proto, piece)
	binary.BigEndian.PutUint16(b[4:], id)
	f := uint16(offset / 8)
	if more {
		f |= 0x2000
	}
	binary.BigEndian.PutUint16(b[6:], f)
	return b
}

func ip6(next uint8, payload []byte) []byte {
	src := []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}
	dst := []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}
	return join([]byte{0x60, 0, 0, 0}, u16(uint16(len(payload))), []byte{next, 64}, src, dst, payload)
}

// ext is an extension header of 8 bytes.
func ext(next uint8) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }

func fragHeader(next uint8, id uint32, offset int, more bool) []byte {
	f := uint16(offset)
	if more {
		f |= 1
	}
	return join([]byte{next, 0}, u16(f), u32(id))
}

func tcpSegment(sport, dport uint16, flags uint8, options []byte, payload int) []byte {
	return join(u16(sport), u16(dport), u32(0x11223344), u32(0x55667788),
		[]byte{uint8((20+len(options))/4) << 4, flags}, u16(8192), u16(0), u16(0), options, make([]byte, payload))
}

func udpDatagram(sport, dport uint16, payload []byte) []byte {
	return join(u16(sport), u16(dport), u16(uint16(8+len(payload))), u16(0), payload)
}

func vxlanFrame(vni uint32, frame []byte) []byte { return join([]byte{8, 0, 0, 0}, u32(vni<<8), frame) }
