// SPDX-License-Identifier: Apache-2.0

package distort

import (
	"encoding/binary"
	"slices"

	"stillwatch/internal/testlab/netsim"
)

const (
	macs     = 12 // bytes before the EtherType
	vlanType = 0x8100
	ipv4Type = 0x0800
	ipv6Type = 0x86dd
)

// tag returns a function that gives a frame a VLAN tag, in place of the one that it has.
func tag(vlan uint16) func(netsim.Frame) netsim.Frame {
	return func(f netsim.Frame) netsim.Frame {
		if len(f.Data) < macs+2 {
			return f
		}
		rest := f.Data[macs:]
		if binary.BigEndian.Uint16(rest) == vlanType && len(rest) >= 4 {
			rest = rest[4:]
			f.Len -= 4
		}
		head := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(slices.Clone(f.Data[:macs]), vlanType), vlan)
		f.Data, f.Len = append(head, rest...), f.Len+4
		return f
	}
}

// hop returns an IP packet to a single host as a router sends it on: with other MACs and a lower TTL. Other frames, which a router does not
// forward, are returned as they are.
func hop(f netsim.Frame) netsim.Frame {
	const ttl, sum = 8, 10 // in IPv4
	at := macs + 2
	if len(f.Data) < at+20 || f.Data[0]&1 != 0 {
		return f
	}
	d := slices.Clone(f.Data)
	switch binary.BigEndian.Uint16(d[macs:]) {
	case ipv4Type:
		if d[at+ttl] <= 1 {
			return f
		}
		d[at+ttl]--
		// RFC 1624: the checksum grows by what the word with the TTL lost.
		s := uint32(binary.BigEndian.Uint16(d[at+sum:])) + 0x100
		binary.BigEndian.PutUint16(d[at+sum:], uint16(s+s>>16))
	case ipv6Type:
		if d[at+7] <= 1 {
			return f
		}
		d[at+7]--
	default:
		return f
	}
	copy(d, []byte{0x00, 0x1b, 0x54, 0xaa, 0x00, 0x02, 0x00, 0x1b, 0x54, 0xaa, 0x00, 0x01})
	f.Data = d
	return f
}
