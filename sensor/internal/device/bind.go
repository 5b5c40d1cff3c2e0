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

// binding says which device holds an address.
type binding struct {
	dev    *Device
	mac    packet.MAC // zero for a device that is known by its address alone
	strong bool       // by ARP, Neighbour Discovery or DHCP
	direct bool       // its packets had not been forwarded when it was bound
	last   int64
}

func (b *binding) fresh(now int64) bool {
	if b.strong {
		return now-b.last < keepStrong
	}
	return now-b.last < keepTraffic
}

// link is what is known of one MAC.
type link struct {
	mac     packet.MAC
	dev     *Device // the device that has this MAC; nil for a next hop that never spoke for itself
	router  bool
	proxy   bool // answers ARP for others as well, so that not even ARP tells its own addresses
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
	live := l.addrs[:0]
	for _, x := range l.addrs {
		if x.addr == a {
			x.last, found = now, true
		}
		if now-x.last >= addrWindow {
			continue
		}
		live = append(live, x)
		if x.addr.Is4() {
			n4++
		} else {
			n6++
		}
	}
	l.addrs = live
	if !found {
		if len(live) < maxLinkAddrs {
			l.addrs = append(l.addrs, linkAddr{a, now})
		}
		if a.Is4() {
			n4++
		} else {
			n6++
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
	if slices.Contains(f.addrs[:f.n], a) {
		return false
	}
	if f.n < routerForeign {
		f.addrs[f.n] = a
		f.n++
	}
	return f.n >= routerForeign
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

// bind gives an address to a device.
func (r *Registry) bind(a packet.Addr, d *Device, mac packet.MAC, strong bool, now int64) {
	r.changed(d)
	if b := r.bindings[a]; b != nil {
		if b.dev != d {
			r.changed(b.dev)
			b.dev.dropIP(a.Netip())
			b.strong = false
		}
		b.dev, b.mac, b.strong, b.last = d, mac, b.strong || strong, now
	} else {
		r.setBinding(a, &binding{dev: d, mac: mac, strong: strong, last: now})
	}
	ip := a.Netip()
	if d.HasIP(ip) {
		return
	}
	if len(d.IPs) >= MaxIPs {
		r.unbind(d, packet.AddrOf(d.IPs[0]))
	}
	d.IPs = append(d.IPs, ip)
	d.Version++
}

// unbind takes an address from a device.
func (r *Registry) unbind(d *Device, a packet.Addr) {
	r.changed(d)
	d.dropIP(a.Netip())
	if b := r.bindings[a]; b != nil && b.dev == d {
		r.dropBinding(a)
	}
}

// becomeRouter takes back what was wrongly held against the device of a MAC: the addresses that are not its own become
// devices of their own, with the ports that they have answered on. Its own are those that ARP told, or the only one that it
// had if packets came from there without having been forwarded.
func (r *Registry) becomeRouter(l *link, now int64) {
	l.router = true
	r.changedLink(l)
	strong := 0
	for _, x := range l.addrs {
		if b := r.bindings[x.addr]; b != nil && b.strong && b.mac == l.mac {
			strong++
		}
	}
	l.proxy = strong >= routerAddrs-1 // the address that brought us here is not bound yet
	l.addrs = nil
	d := l.dev
	if d == nil {
		return
	}
	d.Router = true
	d.Version++
	r.forgetTraffic(r.pin(d))
	var other []packet.Addr
	for _, ip := range d.IPs {
		a := packet.AddrOf(ip)
		if b := r.bindings[a]; b == nil || b.strong && !l.proxy || isLinkLocal(a) || r.namedIP[a] != "" {
			continue
		}
		other = append(other, a)
	}
	if len(other) == 1 && r.bindings[other[0]].direct {
		other = nil
	}
	for _, a := range other {
		r.split(d, a, now)
	}
	r.observe(d, obsRouter, "forwards for other addresses", now)
}

func (r *Registry) split(from *Device, a packet.Addr, now int64) {
	since := from.FirstSeen
	r.unbind(from, a)
	d := r.behind(a, now)
	d.FirstSeen = min(d.FirstSeen, since)
	kept := from.Serves[:0]
	for _, s := range from.Serves {
		if s.addr == a {
			d.addServe(s)
		} else {
			kept = append(kept, s)
		}
	}
	from.Serves = kept
	r.stats.Splits++
}
