// SPDX-License-Identifier: Apache-2.0

package device

import (
	"slices"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/packet"
)

// The holder of an address depends on what was seen of it and of the MAC that carries it, not on the order in which it was seen: a new
// observation decides again all that it may change.

// carried records that a packet from an address came from mac, which is zero if the capture has none, and returns the binding.
func (r *Registry) carried(a packet.Addr, b *binding, mac packet.MAC, ttl uint8, now int64) *binding {
	l := r.linkOf(mac, now)
	switch {
	case l == nil && b == nil:
		b = &binding{last: now}
		r.hold(a, b, r.behind(a, now))
	case l == nil:
	case b == nil:
		r.enterScope(a, mac)
		b = &binding{last: now}
		b.at(mac)
		r.saw(a, b, l, ttl, now)
	case b.mac != mac && !b.mac.IsZero() && !b.assumed && !r.passes(a, b, l, ttl, now):
	default:
		if b.mac != mac {
			r.leave(a, b)
			b.at(mac)
		}
		r.saw(a, b, l, ttl, now)
	}
	b.spoke = true
	return b
}

// saw records the TTL of a packet from an address, and decides its holder.
func (r *Registry) saw(a packet.Addr, b *binding, l *link, ttl uint8, now int64) {
	b.direct, b.routed, b.assumed = b.direct || directTTL(ttl), b.routed || routedTTL(ttl), false
	r.weighAddr(a, b, l, now)
}

// passes reports whether an address moves to another MAC, l, that carries it now.
func (r *Registry) passes(a packet.Addr, b *binding, l *link, ttl uint8, now int64) bool {
	holder := r.links[b.mac]
	own := b.dev != nil && b.dev.MAC == b.mac
	switch {
	case l.standsFor(a, b):
		return false
	case routedTTL(ttl): // seen on the other side of a router
		if own && l.forwards(a) && !l.router {
			r.becomeRouter(l, now)
		}
		return false
	case l.router:
		return false
	case !own && directTTL(ttl): // seen on its own segment, and not only behind a router
		return true
	case b.fresh(now):
		r.contest(a, b, l, holder, ttl, now)
		return false
	}
	return true
}

// contest records that two MACs carry an address at the same time. A MAC that carries two such addresses is a router.
func (r *Registry) contest(a packet.Addr, b *binding, l, holder *link, ttl uint8, now int64) {
	if l.forwards(a) && !l.router {
		r.becomeRouter(l, now)
	}
	if !l.router && directTTL(ttl) {
		r.station(l, now)
	}
	if holder != nil && !b.strong && !holder.router && holder.forwards(a) {
		r.becomeRouter(holder, now)
	}
}

// leave records that an address leaves the MAC that carried it.
func (r *Registry) leave(a packet.Addr, b *binding) {
	if l := r.links[b.mac]; l != nil && b.dev == l.dev && b.dev != nil {
		l.keeps(a)
	}
}

// weighAddr decides the holder of an address again, and whether its MAC is that of a router.
func (r *Registry) weighAddr(a packet.Addr, b *binding, l *link, now int64) {
	if isLinkLocal(a) {
		r.place(a, b, l, now)
		r.weighProxy6(a, b, l, now)
		return
	}
	many := false
	if b.forwarded() {
		many = l.forwards(a)
	} else {
		l.keeps(a)
		if !l.router || b.direct || b.strong {
			many = l.note(a, now) && !r.declaredMAC(l.mac)
		}
	}
	r.place(a, b, l, now)
	switch {
	case many && !l.router:
		r.becomeRouter(l, now)
	case l.router && !b.forwarded():
		r.settleLink(l, now)
	}
	r.weighProxy6(a, b, l, now)
}

// becomeRouter marks the MAC of a router. The addresses that are not its own become devices of their own, with their history.
func (r *Registry) becomeRouter(l *link, now int64) {
	l.router = true
	r.settleLink(l, now)
}

// owns reports whether an address belongs to the station behind l and not to a host beyond it. A router owns addresses from ARP, and the
// address whose packets were not forwarded if there is only one. A proxy owns what DHCP assigned to it.
func (r *Registry) owns(a packet.Addr, b *binding, l *link) bool {
	switch {
	case l.proxy6 && !a.Is4():
		return b.leased || fromMAC(a, l.mac) || isLinkLocal(a) && embeddedMAC(a).IsZero()
	case isLinkLocal(a):
		return true
	case l.proxy:
		return b.leased
	case !l.router:
		return !b.forwarded()
	}
	return b.strong || b.direct && !b.beyond && r.sole(a, l)
}

// sole reports whether a is the only address behind l whose packets were not forwarded, apart from addresses from ARP.
func (r *Registry) sole(a packet.Addr, l *link) bool {
	return !slices.ContainsFunc(l.addrs, func(x linkAddr) bool {
		b := r.bindings[x.addr]
		return x.addr != a && b != nil && b.mac == l.mac && b.direct && !b.strong && !b.beyond
	})
}

// place assigns an address to its holder.
func (r *Registry) place(a packet.Addr, b *binding, l *link, now int64) {
	if name := r.nameAt(a); name != "" {
		r.hold(a, b, r.namedHolder(name, l, r.owns(a, b, l), now))
		return
	}
	known := b.dev // by its address alone
	if known != nil && known.Key != r.addressKey(a) {
		known = nil
	}
	if !r.owns(a, b, l) {
		switch {
		case known != nil:
		case b.dev != nil && b.dev == l.dev:
			r.split(a, b, now)
		default:
			r.hold(a, b, r.behind(a, now))
		}
		return
	}
	switch {
	case b.dev != nil && b.dev == l.dev:
		return
	case known == nil:
		r.hold(a, b, r.station(l, now))
	case l.dev == nil && r.byKey[r.stationKey(l)] == nil:
		r.rekey(known, r.stationKey(l))
		r.setMAC(known, l, now)
	default:
		r.absorb(a, b, r.station(l, now))
	}
	if r.watched(a) || r.declaredMAC(l.mac) {
		r.declare(b.dev)
	}
}

// settleLink decides again who holds the addresses that a MAC carries.
func (r *Registry) settleLink(l *link, now int64) {
	r.changedLink(l)
	l.proxy = l.proxy || l.router && r.answersForOthers(l)
	l.proxy6 = l.proxy6 || l.router && r.answersForOthers6(l)
	d := l.dev
	if d != nil {
		r.pin(d)
	}
	parts := r.partsOf(d)
	before := r.stats.Splits
	for _, a := range r.addrsAt(l) {
		switch b := r.bindings[a]; {
		case b == nil || b.mac != l.mac: // placing another address has changed it
		case d != nil && b.dev == d && b.assumed && !r.owns(a, b, l):
			r.unbind(d, a)
		default:
			r.place(a, b, l, now)
		}
	}
	if d = l.dev; d == nil {
		return
	}
	if r.stats.Splits > before && len(parts) > 0 {
		r.clearTraffic(d)
		for _, p := range parts {
			if slices.Contains(d.addrs, p.addr) {
				r.take(d, p.part)
			}
		}
	}
	r.joinParts(d)
	if r.names[d.Key] && r.namedMAC[l.mac] != d.Key && !l.self && !r.ownsAny(d, l) { // named by an address beyond
		l.dev, d.MAC, d.MACKind, d.RandomMAC, d.Router = nil, packet.MAC{}, 0, false, false
		d.claims.RemoveMAC()
		d.Version++
		r.weigh(d, d.LastSeen)
		return
	}
	if len(d.addrs) == 0 && !l.self && !d.Declared {
		l.dev = nil
		r.drop(d)
		return
	}
	if l.proxy {
		r.observe(d, evidence.Router, "shows other hosts under its own MAC", now)
	}
	if l.router && !d.Router {
		d.Router = true
		d.Version++
		r.observe(d, evidence.Router, "forwards for other addresses", now)
	}
}

// addrsAt returns the addresses that a MAC carries.
func (r *Registry) addrsAt(l *link) (addrs []packet.Addr) {
	add := func(a packet.Addr) {
		if b := r.bindings[a]; b != nil && b.mac == l.mac && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	if l.dev != nil {
		for _, a := range l.dev.addrs {
			add(a)
		}
	}
	for _, x := range l.addrs {
		add(x.addr)
	}
	return addrs
}

// answersForOthers reports whether ARP showed so many addresses of one subnet for a router that not all can be its own: a router has one
// address in each subnet.
func (r *Registry) answersForOthers(l *link) bool {
	n := map[[3]byte]int{}
	for _, x := range l.addrs {
		if b := r.bindings[x.addr]; x.addr.Is4() && b != nil && b.strong && b.mac == l.mac {
			if n[[3]byte(x.addr[12:15])]++; n[[3]byte(x.addr[12:15])] >= routerAddrs-1 {
				l.self = true
				return true
			}
		}
	}
	return false
}

// split makes an address a device of its own, with its history.
func (r *Registry) split(a packet.Addr, b *binding, now int64) {
	from, p := b.dev, b.part
	if p == nil && len(from.addrs) == 1 && r.links[from.MAC] != nil && !r.links[from.MAC].self && !from.Declared {
		r.links[from.MAC].dev = nil // this address did all that it has done
		from.MAC, from.MACKind, from.RandomMAC, from.Router = packet.MAC{}, 0, false, false
		from.claims.RemoveMAC()
		r.rekey(from, r.addressKey(a))
		r.observeEmbedded(from, a, now)
		r.weigh(from, now)
		return
	}
	d := r.behind(a, now)
	switch {
	case p != nil:
		if d.Originated == 0 && len(d.addrs) == 0 { // it is new
			d.LastSeen = p.FirstSeen
		}
		r.take(d, p)
	case len(from.addrs) == 1:
		r.take(d, alone(from))
	default:
		if from.FirstSeen < d.FirstSeen {
			d.FirstSeen = from.FirstSeen
			d.setSeen(from.seenMark())
		}
		for _, s := range from.Serves {
			if s.addr == a {
				d.addServe(s)
			}
		}
	}
	from.Serves = slices.DeleteFunc(from.Serves, func(s Serve) bool { return s.addr == a })
	r.release(a, b)
	r.hold(a, b, d)
	r.moved(from.Key, d, a)
	r.stats.Splits++
}

// ownsAny reports whether an address of d belongs to the station behind l.
func (r *Registry) ownsAny(d *Device, l *link) bool {
	return slices.ContainsFunc(d.addrs, func(a packet.Addr) bool {
		b := r.bindings[a]
		return b != nil && b.mac == l.mac && r.owns(a, b, l)
	})
}
