// SPDX-License-Identifier: Apache-2.0

package session

import (
	"bytes"
	"hash/maphash"
	"unsafe"

	"stillwatch/sensor/internal/packet"
)

// key names a session independently of direction: the end that sorts first is lo. It has no padding, so that its bytes can be hashed.
type key struct {
	lo, hi   packet.Addr
	plo, phi uint16
	proto    uint8
	v6       uint8
	_        [2]uint8
}

// keyOf gives the key of p and the side that sent it: 0 for lo.
func keyOf(p *packet.Packet) (k key, side uint8) {
	sp, dp := ports(p)
	k.proto = p.Proto
	if p.V6 {
		k.v6 = 1
	}
	c := bytes.Compare(p.Src[:], p.Dst[:])
	if c < 0 || c == 0 && sp <= dp {
		k.lo, k.hi, k.plo, k.phi = p.Src, p.Dst, sp, dp
		return k, 0
	}
	k.lo, k.hi, k.plo, k.phi = p.Dst, p.Src, dp, sp
	return k, 1
}

// ports gives what stands for the ports of p. For ICMP these are the type and its counterpart, as Community ID has it, so that
// request and reply are one session.
func ports(p *packet.Packet) (src, dst uint16) {
	switch p.Kind {
	case packet.KindTCP, packet.KindUDP, packet.KindSCTP:
		return p.SrcPort, p.DstPort
	case packet.KindICMP:
		src, dst, _ = icmpPorts(icmp4Pairs[:], p.SrcPort, p.DstPort)
	case packet.KindICMP6:
		src, dst, _ = icmpPorts(icmp6Pairs[:], p.SrcPort, p.DstPort)
	}
	return src, dst
}

// hash is keyed by a seed of this process, so that nobody can prepare keys that collide. Nothing that can be seen depends on it.
func (k *key) hash(seed maphash.Seed) uint64 {
	return maphash.Bytes(seed, unsafe.Slice((*byte)(unsafe.Pointer(k)), unsafe.Sizeof(*k)))
}
