// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"fmt"
)

// VLANs of one mirror can belong to networks with the same private addresses. The tag alone does not show that: a mirror may carry the two
// directions of a session under different tags, or the same frames under both tags of a path. A VLAN becomes an address space of its own when
// two stations with one private address but different MACs are each seen in a VLAN of their own in which somebody also answers them.

// scopeVLAN is the type in the Scope of a VLAN. No tunnel has it.
const scopeVLAN TunnelType = 0x7f

// vlanName returns the name of the space of a VLAN, or of one inside another.
func vlanName(id uint32) string {
	if inner := id & 0xffff; inner != 0 {
		return fmt.Sprintf("vlan-%d.%d", id>>16, inner)
	}
	return fmt.Sprintf("vlan-%d", id>>16)
}

// vlanSpace returns the space of the VLAN tags of p, zero if it has none.
func (p *Packet) vlanSpace() (s Scope) {
	if p.NumVLANs == 0 {
		return s
	}
	s[1] = scoped | uint8(scopeVLAN)
	binary.BigEndian.PutUint16(s[2:], p.VLANs[0])
	if p.NumVLANs > 1 {
		binary.BigEndian.PutUint16(s[4:], p.VLANs[1])
	}
	return s
}

// vlanStation is who has a private address: at most two stations, in two VLANs.
type vlanStation struct {
	addr  uint32
	roams bool // one of them is in both VLANs: a router, or the directions have different tags
	who   [2]struct {
		space    Scope
		mac      MAC
		answered bool // somebody in the same VLAN answered it
		last     int64
	}
}

// Apart reports whether frames with one VLAN tag, 0 for none, belong to an address space of their own.
func (x *Scopes) Apart(vlan uint16) bool { return x.tagged != nil && x.tagged[vlan&0xfff] }

// applyVLAN sets the scope of a packet without tunnels, and looks for VLANs with the same addresses.
func (x *Scopes) applyVLAN(p *Packet) {
	if p.NumVLANs == 0 && x.vlans == nil {
		return
	}
	s := p.vlanSpace()
	if len(x.apart) > 0 && x.apart[s] && !s.IsZero() {
		if p.Scope.IsZero() {
			p.Scope, p.hasRare = s, true
			if p.HasIP && !p.V6 {
				p.Src, p.Dst = p.Src.In(s), p.Dst.In(s)
			}
		}
		return
	}
	reply := p.Kind == KindARP && len(p.Body) >= 28 && p.Body[7] == 2
	if !reply && p.Kind != KindARP && p.TCPFlags&SYN == 0 {
		return
	}
	if x.vlans == nil {
		x.vlans = make([]vlanStation, maxStations)
	}
	if a, mac, ok := p.sender(); ok {
		x.sent(a, mac, s, p.Time)
	}
	if a, ok := p.receiver(reply); ok {
		x.answered(a, p.DstMAC, s)
	}
}

// receiver returns the private address to which a SYN-ACK or an ARP reply goes.
func (p *Packet) receiver(reply bool) (a Addr, ok bool) {
	switch {
	case reply:
		a = AddrFrom4(p.Body[24:28])
	case p.HasIP && p.HasMAC && !p.V6 && p.TCPFlags&(SYN|ACK) == SYN|ACK:
		a = p.Dst
	default:
		return a, false
	}
	return a, a.private() && !p.DstMAC.IsGroup()
}

func (x *Scopes) slot(v uint32) *vlanStation {
	return &x.vlans[fold(uint64(v)^hashKey1, hashKey2)%maxStations]
}

// sent records a station that sent something from an address. Link-local addresses are left out: all networks have the same.
func (x *Scopes) sent(a Addr, mac MAC, s Scope, now int64) {
	if a[12] == 169 {
		return
	}
	v := be32(a[12:])
	e := x.slot(v)
	first, second := &e.who[0], &e.who[1]
	switch {
	case first.mac.IsZero() || now-first.last > stationKeep || e.addr != v:
		if !first.mac.IsZero() && e.addr != v && now-first.last <= stationKeep {
			x.counts.Replaced++
		}
		*e = vlanStation{addr: v}
		first.space, first.mac, first.last = s, mac, now
	case first.mac == mac:
		first.last = max(first.last, now)
		e.roams = e.roams || first.space != s
	case second.mac == mac && !second.mac.IsZero():
		second.last = max(second.last, now)
		e.roams = e.roams || second.space != s
	case first.space == s: // another network card
		first.mac, first.answered, first.last = mac, false, now
	default:
		second.space, second.mac, second.answered, second.last = s, mac, false, now
	}
}

// answered records that somebody answers a station in its own VLAN, and separates two VLANs once that was seen in both.
func (x *Scopes) answered(a Addr, mac MAC, s Scope) {
	v := be32(a[12:])
	e := x.slot(v)
	if e.addr != v {
		return
	}
	for i := range e.who {
		if w := &e.who[i]; w.mac == mac && w.space == s {
			w.answered = true
		}
	}
	first, second := &e.who[0], &e.who[1]
	if e.roams || !first.answered || !second.answered || second.last-first.last > stationKeep {
		return
	}
	apart := second.space
	if apart.IsZero() {
		apart = first.space
	}
	*e = vlanStation{}
	if x.apart[apart] {
		return
	}
	if x.separate(apart); x.apart[apart] && be32(apart[2:])&0xffff == 0 {
		if x.tagged == nil {
			x.tagged = new([1 << 12]bool)
		}
		x.tagged[be32(apart[2:])>>16&0xfff] = true
	}
}
