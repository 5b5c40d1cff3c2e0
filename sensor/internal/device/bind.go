// SPDX-License-Identifier: Apache-2.0

package device

import (
	"slices"

	"stillwatch/sensor/internal/packet"
)

// How long a binding that was not confirmed keeps its address from being taken over by traffic alone. ARP, Neighbour
// Discovery and DHCP move it at once.
const (
	keepTraffic = 5 * 60 * 1e9
	keepStrong  = 4 * 3600 * 1e9
)

// What makes a MAC a router: so many IPv4 addresses at one time, or so many that others hold or that were routed.
const (
	routerAddrs   = 8
	routerAddrs6  = 24 // temporary addresses (RFC 8981) make many of one host
	routerForeign = 2
	addrWindow    = 24 * 3600 * 1e9
	// With so many there are too many of one kind, and more would tell nothing: a declared MAC is no router whatever is forged behind it.
	maxLinkAddrs = routerAddrs + routerAddrs6
)

// binding says which device holds an address, and what was seen of the address at the MAC that carries it.
type binding struct {
	dev    *Device
	mac    packet.MAC // that carries it; zero if none was seen with it
	part   *Device    // what the address alone has done; nil unless its device has several IPv4 addresses
	strong bool       // by ARP, Neighbour Discovery or DHCP
	leased bool       // by DHCP to this MAC
	spoke  bool       // IP packets came from it
	direct bool       // some of them had not been forwarded
	routed bool       // some of them had been forwarded
	beyond bool       // it spoke with another through the MAC that carries both
	last   int64
}

func (b *binding) fresh(now int64) bool {
	if b.strong {
		return now-b.last < keepStrong
	}
	return now-b.last < keepTraffic
}

// knows reports whether a packet with this time to live tells nothing new about the address.
func (b *binding) knows(ttl uint8) bool {
	return b.spoke && (b.direct || !directTTL(ttl)) && (b.routed || !routedTTL(ttl))
}

// forwarded reports whether all that came from the address had been forwarded.
func (b *binding) forwarded() bool { return (b.routed && !b.direct || b.beyond) && !b.strong }

// at begins what is known of the address at another MAC.
func (b *binding) at(mac packet.MAC) {
	b.mac, b.strong, b.leased, b.direct, b.routed, b.beyond = mac, false, false, false, false, false
}

// link is what is known of one MAC.
type link struct {
	mac     packet.MAC
	dev     *Device // the device that has this MAC; nil for a next hop that never spoke for itself
	router  bool
	proxy   bool // answers ARP for others as well, so that not even ARP tells its own addresses
	self    bool // spoke for itself, without an address or by DHCP
	addrs   []linkAddr
	last    int64    // asked for
	foreign *foreign // nil: none yet
	mark    mark
}

// foreign is the addresses that a MAC forwards for, as many as make a router.
type foreign struct {
	n     int
	addrs [routerForeign]packet.Addr
}

type linkAddr struct {
	addr packet.Addr
	last int64
}

// note records that an address stood behind l, and reports whether there are too many at one time for one host.
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
		if len(l.addrs) >= maxLinkAddrs { // the oldest tells least
			l.addrs = slices.DeleteFunc(l.addrs, func(x linkAddr) bool { return now-x.last >= addrWindow })
		}
		if len(l.addrs) < maxLinkAddrs {
			l.addrs = append(l.addrs, linkAddr{a, now})
		}
	}
	return n4 >= routerAddrs || n6 >= routerAddrs6
}

// forwards records that l carries packets of an address that is not its own, and reports whether that makes a router.
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

// keeps takes back that l forwards for an address.
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

// linkOf gives the link of a MAC, nil if mac is no address of one station or the table is full.
func (r *Registry) linkOf(mac packet.MAC, now int64) *link {
	if mac.IsZero() || mac.IsGroup() {
		return nil
	}
	l := r.lastLink
	if l == nil || l.mac != mac {
		l = r.links[mac]
	}
	if l == nil {
		// Frames under a million forged MACs must not fill the memory: only so many next hops are remembered.
		if len(r.links) >= 2*r.cfg.MaxDevices && !r.forgetLinks(now) {
			r.stats.LinksRefused++
			return nil
		}
		l = &link{mac: mac, router: virtualRouter(mac)}
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

// linkIdle is how long a next hop without a device of its own is kept when room is needed, linkPause how often room is sought.
const (
	linkIdle  = 10 * 60 * 1e9
	linkPause = 60 * 1e9
)

// forgetLinks drops the next hops that were not seen for a while, and reports whether there is room again.
func (r *Registry) forgetLinks(now int64) bool {
	if now < r.nextForget {
		return false
	}
	r.nextForget = now + linkPause
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
	if len(d.IPs) >= MaxIPs {
		r.unbind(d, packet.AddrOf(d.IPs[0]))
	}
	if a.Is4() {
		r.tellApart(d, b)
	}
	b.dev = d
	if r.bindings[a] == nil {
		r.setBinding(a, b)
	}
	d.IPs = append(d.IPs, a.Netip())
	d.Version++
}

// release takes an address from its device and leaves the binding without one.
func (r *Registry) release(a packet.Addr, b *binding) {
	r.changed(b.dev)
	b.dev.dropIP(a.Netip())
	if b.part != nil {
		b.dev.parts--
	}
	b.dev, b.part = nil, nil
}

// unbind takes an address from a device and forgets what was known of it.
func (r *Registry) unbind(d *Device, a packet.Addr) {
	if b := r.bindings[a]; b != nil && b.dev == d {
		r.release(a, b)
		r.joinParts(d)
		r.dropBinding(a)
	}
}
