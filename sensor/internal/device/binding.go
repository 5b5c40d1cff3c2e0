// SPDX-License-Identifier: Apache-2.0

package device

import (
	"slices"

	"stillwatch/sensor/internal/packet"
)

// How long after its last packet a binding cannot be moved by traffic alone. ARP, Neighbor Discovery and DHCP move it at once.
const (
	keepTraffic = 5 * 60 * 1e9
	keepStrong  = 4 * 3600 * 1e9
)

// A MAC with this many addresses at a time is a router, and so is one with routerForeign addresses that others hold or that were routed.
const (
	routerAddrs   = 8
	routerAddrs6  = 24 // temporary addresses (RFC 8981) make many of one host
	routerForeign = 2
	addrWindow    = 24 * 3600 * 1e9
	// The bound for a declared MAC, which never becomes a router however many addresses are forged behind it.
	maxLinkAddrs = routerAddrs + routerAddrs6
)

// binding is which device holds an address, and what was seen of the address at the MAC that carries it.
type binding struct {
	dev     *Device
	mac     packet.MAC // MAC that carries it; zero if none was seen
	part    *Device    // what the address alone has done; nil unless its device has several IPv4 addresses
	strong  bool       // bound by ARP, Neighbor Discovery or DHCP
	leased  bool       // bound by DHCP to this MAC
	spoke   bool       // IP packets came from it
	direct  bool       // some of them were not forwarded
	routed  bool       // some of them were forwarded
	beyond  bool       // it exchanged packets with another address behind the same MAC
	assumed bool       // the station has only said that the address is its own (Registry.assume)
	last    int64
}

func (b *binding) fresh(now int64) bool {
	if b.strong {
		return now-b.last < keepStrong
	}
	return now-b.last < keepTraffic
}

// knows reports whether a packet with this TTL adds nothing to what is known of the address.
func (b *binding) knows(ttl uint8) bool {
	return b.spoke && (b.direct || !directTTL(ttl)) && (b.routed || !routedTTL(ttl))
}

// forwarded reports whether all packets from the address were forwarded.
func (b *binding) forwarded() bool { return (b.routed && !b.direct || b.beyond) && !b.strong }

// at resets what is known of the address, which another MAC carries now.
func (b *binding) at(mac packet.MAC) {
	b.mac, b.strong, b.leased, b.direct, b.routed, b.beyond, b.assumed = mac, false, false, false, false, false, false
}

// link is what is known of one MAC.
type link struct {
	mac     packet.MAC
	router  bool
	proxy   bool    // answers ARP for other hosts too, so that even ARP does not show its own addresses
	place   uint32  // see mark
	kept    bool    // the same
	proxy6  bool    // the same as proxy for Neighbor Discovery (RFC 4389)
	self    bool    // sent something of its own: without an address, or DHCP
	dev     *Device // the device that has this MAC; nil for a next hop that sent nothing of its own
	addrs   []linkAddr
	last    int64    // time of the last use
	foreign *foreign // nil: none yet
}

// foreign holds addresses that a MAC forwards for, up to the number that makes it a router.
type foreign struct {
	n     int
	addrs [routerForeign]packet.Addr
}

type linkAddr struct {
	addr packet.Addr
	last int64
}

// note records an address behind l, and reports whether there are more at a time than one host has.
func (l *link) note(a packet.Addr, now int64) bool {
	n4, n6, found := 0, 0, false
	count := func(a packet.Addr) {
		if a.Is4() {
			n4++
		} else {
			n6++
		}
	}
	for i := range l.addrs {
		x := &l.addrs[i]
		if x.addr == a {
			x.last, found = now, true
		}
		if now-x.last < addrWindow {
			count(x.addr)
		}
	}
	if !found {
		count(a)
		if len(l.addrs) >= maxLinkAddrs { // make room: drop those outside the window
			l.addrs = slices.DeleteFunc(l.addrs, func(x linkAddr) bool { return now-x.last >= addrWindow })
		}
		if len(l.addrs) < maxLinkAddrs {
			l.addrs = append(l.addrs, linkAddr{a, now})
		}
	}
	return n4 >= routerAddrs || n6 >= routerAddrs6
}

// forwards records that l carries packets of an address that is not its own, and reports whether that makes l a router.
func (l *link) forwards(a packet.Addr) bool {
	if l.foreign == nil {
		l.foreign = &foreign{}
	}
	f := l.foreign
	if !slices.Contains(f.addrs[:f.n], a) && f.n < routerForeign {
		f.addrs[f.n] = a
		f.n++
	}
	return f.n >= routerForeign
}

// keeps undoes forwards for an address.
func (l *link) keeps(a packet.Addr) {
	f := l.foreign
	if f == nil {
		return
	}
	if i := slices.Index(f.addrs[:f.n], a); i >= 0 {
		f.n--
		f.addrs[i], f.addrs[f.n] = f.addrs[f.n], packet.Addr{}
	}
}

// linkOf returns the link of a MAC, nil if mac is not the address of one station or the table is full.
func (r *Registry) linkOf(mac packet.MAC, now int64) *link {
	if mac.IsZero() || mac.IsGroup() {
		return nil
	}
	l := r.lastLink
	if l == nil || l.mac != mac {
		l = r.links[mac]
	}
	if l == nil {
		// A flood of forged MACs must not fill the memory.
		if len(r.links) >= 2*r.cfg.MaxDevices && !r.dropIdleLinks(now) {
			r.stats.LinksRefused++
			return nil
		}
		l = &link{mac: mac, router: VirtualRouter(mac)}
		r.links[mac] = l
	}
	if l.dev != nil {
		r.pin(l.dev) // or l could be dropped with it
	}
	l.last = max(l.last, now)
	r.lastLink = l
	r.changedLink(l)
	return l
}

// When the table is full, next hops without a device that were not seen for linkIdle are dropped, at most once in linkSweep.
const (
	linkIdle  = 10 * 60 * 1e9
	linkSweep = 60 * 1e9
)

// dropIdleLinks drops next hops that were not seen for linkIdle, and reports whether there is room again.
func (r *Registry) dropIdleLinks(now int64) bool {
	if now < r.nextLinkSweep {
		return false
	}
	r.nextLinkSweep = now + linkSweep
	for _, l := range r.links {
		if l.dev == nil && now-l.last >= linkIdle {
			r.dropLink(l)
		}
	}
	r.lastLink = nil
	return len(r.links) < 2*r.cfg.MaxDevices
}

// hold makes d the holder of an address.
func (r *Registry) hold(a packet.Addr, b *binding, d *Device) {
	r.changed(d)
	if b.dev == d {
		return
	}
	if old := b.dev; old != nil {
		r.release(a, b)
		r.joinParts(old)
	}
	if len(d.addrs) >= MaxIPs {
		r.unbind(d, d.addrs[0])
	}
	if a.Is4() {
		r.splitParts(d, b)
	}
	b.dev = d
	if r.bindings[a] == nil {
		r.setBinding(a, b)
	}
	d.addIP(a)
	d.Version++
}

// release takes an address from its device; the binding is then without one.
func (r *Registry) release(a packet.Addr, b *binding) {
	r.changed(b.dev)
	b.dev.dropIP(a)
	if b.part != nil {
		b.dev.parts--
	}
	b.dev, b.part = nil, nil
}

// enterScope drops the binding of the same address without a scope to the same MAC: it is from before the network was known to be one of its own,
// and the address belongs to a station of another network.
func (r *Registry) enterScope(a packet.Addr, mac packet.MAC) {
	if a.Scope().IsZero() {
		return
	}
	plain := a.In(packet.Scope{})
	if b := r.bindings[plain]; b != nil && b.mac == mac && b.dev != nil && r.nameAt(plain) == "" {
		r.unbind(b.dev, plain)
	}
}

// unbind takes an address from a device and drops its binding.
func (r *Registry) unbind(d *Device, a packet.Addr) {
	if b := r.bindings[a]; b != nil && b.dev == d {
		r.release(a, b)
		r.joinParts(d)
		r.dropBinding(a)
	}
}
