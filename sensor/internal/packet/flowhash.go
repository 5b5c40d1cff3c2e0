// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"math/bits"
)

// Keys of the hash: odd numbers without a pattern (fractional parts of square roots). They are constant, because the same packets must get
// the same partitions in every run. Tables that an attacker may fill are bounded instead.
const (
	hashKey1 = 0x6a09e667f3bcc909
	hashKey2 = 0xbb67ae8584caa73b
	hashKey3 = 0x3c6ef372fe94f82b
	hashKey4 = 0xa54ff53a5f1d36f1
)

// FlowHash returns a hash that is the same for both directions of a flow. It covers addresses, ports and protocol; for ICMP and protocols
// without ports, addresses and protocol; without IP, EtherType and MACs.
func (p *Packet) FlowHash() uint64 {
	if !p.HasIP {
		a, b := mac64(p.SrcMAC)*hashKey1, mac64(p.DstMAC)*hashKey1
		return fold(a+b^hashKey2, a^b^hashKey4+uint64(p.EtherType))
	}
	a, b := hashAddr(&p.Src), hashAddr(&p.Dst)
	if p.Kind == KindTCP || p.Kind == KindUDP || p.Kind == KindSCTP {
		a += uint64(p.SrcPort) * hashKey3
		b += uint64(p.DstPort) * hashKey3
	}
	return hashBoth(a, b, p.Proto)
}

func hashAddr(a *Addr) uint64 {
	return hashEnd(binary.LittleEndian.Uint64(a[:8]), binary.LittleEndian.Uint64(a[8:]))
}

func hashEnd(hi, lo uint64) uint64 { return fold(hi^hashKey1, lo^hashKey2) + lo }

func hashBoth(a, b uint64, proto uint8) uint64 {
	return fold(a+b^hashKey2, fold(a^b^hashKey4, hashKey1)+uint64(proto))
}

func mac64(m MAC) uint64 {
	return uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
}

// fold multiplies to 128 bits and adds the halves.
func fold(x, y uint64) uint64 {
	hi, lo := bits.Mul64(x, y)
	return hi ^ lo
}
