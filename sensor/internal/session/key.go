// SPDX-License-Identifier: Apache-2.0

package session

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"

	"stillwatch/sensor/internal/packet"
)

// key is the five-tuple independent of direction: lo is the endpoint that sorts first. The words have the addresses in network byte order;
// ends has the ports, the protocol and the IP version.
type key struct {
	lo, hi [2]uint64
	ends   uint64 // port of lo, port of hi, protocol, 1 for IPv6; 16 bits each
}

// of sets k to the key of p and returns the side that sent it: 0 for lo.
func (k *key) of(p *packet.Packet) (side uint8) {
	sp, dp := p.SrcPort, p.DstPort
	if p.Kind != packet.KindTCP && p.Kind != packet.KindUDP {
		sp, dp = ports(p)
	}
	src0, src1 := binary.BigEndian.Uint64(p.Src[:8]), binary.BigEndian.Uint64(p.Src[8:])
	dst0, dst1 := binary.BigEndian.Uint64(p.Dst[:8]), binary.BigEndian.Uint64(p.Dst[8:])
	tail := uint64(p.Proto) << 16
	if p.V6 {
		tail++
	}
	if src0 < dst0 || src0 == dst0 && (src1 < dst1 || src1 == dst1 && sp <= dp) {
		k.lo[0], k.lo[1], k.hi[0], k.hi[1] = src0, src1, dst0, dst1
		k.ends = uint64(sp)<<48 | uint64(dp)<<32 | tail
		return 0
	}
	k.lo[0], k.lo[1], k.hi[0], k.hi[1] = dst0, dst1, src0, src1
	k.ends = uint64(dp)<<48 | uint64(sp)<<32 | tail
	return 1
}

func addr(w [2]uint64) (a packet.Addr) {
	binary.BigEndian.PutUint64(a[:8], w[0])
	binary.BigEndian.PutUint64(a[8:], w[1])
	return a
}

func (k *key) ports() (lo, hi uint16) { return uint16(k.ends >> 48), uint16(k.ends >> 32) }
func (k *key) proto() uint8           { return uint8(k.ends >> 16) }
func (k *key) v6() bool               { return k.ends&1 != 0 }

// equal compares word by word, which is faster than a call of memequal.
func (k *key) equal(x *key) bool {
	return k.ends == x.ends && k.lo[1] == x.lo[1] && k.hi[1] == x.hi[1] && k.lo[0] == x.lo[0] && k.hi[0] == x.hi[0]
}

// ports returns the ports of p. For ICMP they are the type and its counterpart, as in Community ID, so that request and reply are one
// session.
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

// secret is the hash key of one table, random in each process, so that nobody can choose five-tuples that collide. No output depends on it.
type secret [4]uint64

func newSecret() (s secret) {
	var b [8 * len(s)]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	for i := range s {
		s[i] = binary.NativeEndian.Uint64(b[8*i:]) | 1
	}
	return s
}

// hash mixes the key by folded multiplication, as wyhash does.
func (k *key) hash(s *secret) uint64 {
	a := fold(k.lo[0]^s[0], k.lo[1]^s[1])
	b := fold(k.hi[0]^s[2], k.hi[1]^s[3])
	return fold(a^s[1]^k.ends, b^s[2])
}

func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}
