// SPDX-License-Identifier: Apache-2.0

package session

import "stillwatch/sensor/internal/packet"

// vlanStacks interns the stacks of VLAN tags by number, because a network has few of them. 0 is no tag; sessions with a stack beyond the
// limit are counted and show no tag.
type vlanStacks struct {
	all     []vlanStack
	numbers map[vlanStack]uint16
}

type vlanStack struct {
	tags [packet.MaxVLANs]uint16
	n    uint8
}

func (v *vlanStacks) number(p *packet.Packet, s *Stats) uint16 {
	if p.NumVLANs == 0 {
		return 0
	}
	k := vlanStack{n: p.NumVLANs}
	copy(k.tags[:], p.VLANs[:p.NumVLANs])
	if n, ok := v.numbers[k]; ok {
		return n
	}
	if len(v.all) == 1<<16-1 {
		s.VLANStacksLost++
		return 0
	}
	if v.numbers == nil {
		v.numbers = map[vlanStack]uint16{}
	}
	v.all = append(v.all, k)
	v.numbers[k] = uint16(len(v.all))
	return uint16(len(v.all))
}

func (v *vlanStacks) at(n uint16) (tags [packet.MaxVLANs]uint16, count uint8) {
	if n == 0 {
		return tags, 0
	}
	return v.all[n-1].tags, v.all[n-1].n
}
