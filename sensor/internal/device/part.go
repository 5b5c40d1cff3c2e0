// SPDX-License-Identifier: Apache-2.0

package device

import (
	"slices"

	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// A device with several IPv4 addresses has a part for each: a Device in no table, without key, ID and addresses, that records what the
// address alone has done. A link-layer repeater, a router that answers ARP for others, and a hypervisor on a wireless link show many hosts
// under their own MAC. If the addresses behave differently, they are different hosts, and each keeps its own history.

// stack is the shape of the TCP packets of a device.
type stack struct {
	ttls uint8  // initial TTLs, one bit each
	syns uint16 // lengths of the options of its SYNs in words of 4 bytes, one bit each
}

// splitParts gives each IPv4 address of d its own part when d gets a second one with b.
func (r *Registry) splitParts(d *Device, b *binding) {
	several := false
	for _, a := range d.addrs {
		if !a.Is4() {
			continue
		}
		several = true
		if x := r.bindings[a]; x.part == nil { // so far this address did all that d has done
			x.part = alone(d)
			d.parts++
		}
	}
	if !several {
		b.part = nil
		return
	}
	if b.part == nil {
		b.part = &Device{FirstSeen: b.last, ObservedDays: 1, lastDay: int32(b.last / dayNs),
			clock: r.cfg.Clock}
		b.part.setSeen(r.Mark(b.last))
	}
	d.parts++
}

// joinParts drops the part when one address is left.
func (r *Registry) joinParts(d *Device) {
	if d.parts != 1 {
		return
	}
	for _, a := range d.addrs {
		if b := r.bindings[a]; b != nil {
			b.part = nil
		}
	}
	d.parts = 0
}

// alone returns a copy of the history of a device, without its identity.
func alone(d *Device) *Device {
	x := *d
	x.ID, x.Key, x.MAC, x.MACKind, x.RandomMAC, x.Router, x.Declared = 0, "", packet.MAC{}, 0, false, false, false
	x.hourCount = hourCount{}
	x.IPs, x.addrs, x.node, x.parts = nil, nil, lruNode{}, 0
	x.Hostnames, x.VLANs, x.Serves = slices.Clone(d.Hostnames), slices.Clone(d.VLANs), slices.Clone(d.Serves)
	x.Prints = slices.Clone(d.Prints)
	x.claims = slices.Clone(d.claims)
	x.claims.RemoveMAC()
	return &x
}

// partAt returns the part of one address of d, nil if d has no parts.
func (r *Registry) partAt(a packet.Addr, d *Device) *Device {
	if d == nil || d.parts == 0 {
		return nil
	}
	if b := r.binding(a); b != nil && b.dev == d {
		return b.part
	}
	return nil
}

// tcp records the TTL and SYN options of a device.
func (p *stack) tcp(e *session.Endpoint, v *session.View, out bool) {
	if v.Proto != protoTCP || !out && !v.Answered() { // a firewall may refuse on its behalf
		return
	}
	switch e.TTL {
	case 32:
		p.ttls |= 1
	case 64:
		p.ttls |= 2
	case 128:
		p.ttls |= 4
	case 255:
		p.ttls |= 8
	}
	if out && v.Basis == session.BasisSYN && v.SynOptLen > 4 { // scanners that write their own SYNs send an MSS at most
		p.syns |= 1 << (v.SynOptLen / 4)
	}
}

// differs reports whether two addresses of one subnet are those of different hosts, by their names, their TCP, or what they do. A host
// answers on the same ports at each of its addresses; minActs sessions of both are needed to compare them.
func (p *Device) differs(x *Device) bool {
	if p.LastSeen == 0 || x.LastSeen == 0 || p.LastSeen < x.FirstSeen || x.LastSeen < p.FirstSeen {
		return false // one of them sent nothing, or not at the same time: the host changed its address
	}
	if disjoint(p.Hostnames, x.Hostnames) || p.ttls != 0 && x.ttls != 0 && p.ttls&x.ttls == 0 || p.syns != 0 && x.syns != 0 && p.syns&x.syns == 0 {
		return true
	}
	switch {
	case p.served >= minActs && x.served >= minActs:
		return !slices.ContainsFunc(p.Serves, func(s Serve) bool { return x.ServesOn(s.Port, s.Proto) != nil })
	case p.served >= minActs && x.served == 0:
		return p.opened == 0 && x.opened >= minActs
	case x.served >= minActs && p.served == 0:
		return x.opened == 0 && p.opened >= minActs
	}
	return false
}

const minActs = 2

// disjoint reports whether two lists are not empty and have nothing in common.
func disjoint(a, b []string) bool {
	return len(a) > 0 && len(b) > 0 && !slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// compare checks whether the addresses of a device are those of different hosts. Its MAC is then that of a proxy.
func (r *Registry) compare(d *Device, now int64) {
	l := r.links[d.MAC]
	if d.parts < 2 || l == nil || l.dev != d || l.router || l.proxy || r.declaredMAC(l.mac) {
		return
	}
	var addrs []packet.Addr
	for _, a := range d.addrs {
		if a.Is4() && len(addrs) < routerAddrs {
			addrs = append(addrs, a)
		}
	}
	for i, a := range addrs {
		for _, b := range addrs[:i] {
			if [3]byte(a[12:15]) != [3]byte(b[12:15]) {
				continue
			}
			if x, y := r.bindings[a].part, r.bindings[b].part; x != nil && y != nil && x.differs(y) {
				l.proxy = true
				r.settleLink(l, now)
				return
			}
		}
	}
}

// apart records a step in the parts of the two endpoints, and returns their devices, which may have changed.
func (r *Registry) apart(step Step, v *session.View, app *fingerprint.App, initiator, responder *Device, now int64) (*Device, *Device) {
	if p := r.partAt(v.Initiator.Addr, initiator); p != nil && asks(v) {
		r.asked(p, step, v, app, now)
		r.compare(initiator, now)
		initiator = r.again(&v.Initiator, initiator)
	}
	if p := r.partAt(v.Responder.Addr, responder); p != nil && v.Packets[session.In] > 0 {
		r.answered(p, step, v, app, now)
		r.compare(responder, now)
		responder = r.again(&v.Responder, responder)
	}
	return initiator, responder
}

// partAtIP is a part with its address.
type partAtIP struct {
	addr packet.Addr
	part *Device
}

// partsOf returns the parts of a device, in the order of its addresses.
func (r *Registry) partsOf(d *Device) (list []partAtIP) {
	if d == nil || d.parts == 0 {
		return nil
	}
	for _, a := range d.addrs {
		if b := r.bindings[a]; b != nil && b.part != nil {
			list = append(list, partAtIP{a, b.part})
		}
	}
	return list
}
