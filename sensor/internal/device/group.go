// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"

	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// maxGroups bounds the broadcast and network addresses; more are not added.
const maxGroups = 1024

// groups holds addresses that no host has: those to which broadcast frames went, and the first and last address of each subnet in a DHCP
// answer.
type groups map[packet.Addr]struct{}

// suspect reports whether an address that only ARP has shown may be a broadcast address: some devices answer ARP requests for the broadcast
// address of their network. An address from which IP packets come is that of a host.
func (r *Registry) suspect(a packet.Addr) bool {
	if !a.Is4() || r.nameAt(a) != "" {
		return false
	}
	_, known := r.groups[a]
	return known || a[15] == 0 || a[15] == 255
}

// learnGroup records the IP address of a broadcast frame. An attacker may send such frames to any address, so it does not count for an
// address from which packets came, and for others it only overrules ARP.
func (r *Registry) learnGroup(v *session.View) {
	a := v.Responder.Addr
	if !v.Group || v.Packets[session.In] > 0 || v.Initiator.MAC.IsZero() || !a.Is4() || !isHost(a) {
		return
	}
	r.addGroup(a)
}

// learnSubnet records the first and last address of a subnet in a DHCP answer.
func (r *Registry) learnSubnet(host netip.Addr, bits int) {
	p, err := host.Prefix(bits)
	if err != nil || !host.Is4() || bits < 8 || bits > 30 {
		return
	}
	first := packet.AddrOf(p.Addr())
	last := first
	for i := bits; i < 32; i++ {
		last[12+i/8] |= 0x80 >> (i % 8)
	}
	r.addGroup(first)
	r.addGroup(last)
}

func (r *Registry) addGroup(a packet.Addr) {
	if _, known := r.groups[a]; known || len(r.groups) >= maxGroups || r.nameAt(a) != "" {
		return
	}
	b := r.bindings[a]
	if b != nil && (b.spoke || b.leased) {
		return
	}
	r.groups[a] = struct{}{}
	if b != nil && b.dev != nil {
		r.unbind(b.dev, a)
	}
}

// walkGroups saves or restores the group addresses, in no order.
func (r *Registry) walkGroups(c *snapshot.Codec) {
	var list []packet.Addr
	for a := range r.groups {
		list = append(list, a)
	}
	snapshot.List(c, &list, maxGroups, func(a *packet.Addr) { c.Raw(a[:]) })
	for _, a := range list {
		r.groups[a] = struct{}{}
	}
}
