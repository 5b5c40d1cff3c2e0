// SPDX-License-Identifier: Apache-2.0

package device

import (
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// end resolves one end of a session. heard says that the end has sent something: only then may it become a device, so
// that a scan of empty addresses makes none.
func (r *Registry) end(e, other *session.Endpoint, heard bool, now int64) *Device {
	d := r.resolve(e, other, heard, now)
	if d != nil {
		r.pin(d)
	}
	return d
}

func (r *Registry) resolve(e, other *session.Endpoint, heard bool, now int64) *Device {
	mac := e.MAC
	// Some captures carry one MAC on both ends: it says nothing.
	// A group address as the sender names no station: clusters and virtual routers use it for many.
	if mac == other.MAC || mac.IsGroup() {
		mac = packet.MAC{}
	}
	p := r.at(&e.Addr)
	if p.unspecified {
		return r.byLink(mac, heard, now)
	}
	if !p.host {
		return nil
	}
	b := p.bound
	// That somebody claims an external address by ARP does not make it internal for the others: it would hide the traffic to it.
	if (b == nil || b.mac != mac || mac.IsZero()) && !p.inside && !r.ownAddress(e.Addr, mac) {
		r.external(e.Addr, mac, other, now)
		return nil
	}
	return r.internalEnd(e.Addr, b, mac, e.TTL, heard, now)
}

// declaredHost reports whether an address that no host should have (loopback, reserved) was declared all the same; a
// multicast or broadcast address stays none.
func (r *Registry) declaredHost(a packet.Addr) bool {
	if a[0] == 0xff || a.Is4() && (a[12]>>4 == 0xe || a[12]&a[13]&a[14]&a[15] == 0xff) {
		return false
	}
	return r.namedIP[a] != "" || r.watched(a)
}

// ownAddress reports whether an address outside the internal ranges belongs to the station with that MAC: it is made from
// the MAC, the MAC was declared, or a router has announced its prefix for this link. Those bound by ARP and Neighbour Discovery have a binding already.
func (r *Registry) ownAddress(a packet.Addr, mac packet.MAC) bool {
	if mac.IsZero() {
		return false
	}
	if fromMAC(a, mac) || len(r.watchMAC) > 0 && r.watchMAC[mac] {
		return true
	}
	if a.Is4() || r.announced == 0 {
		return false
	}
	l := r.links[mac]
	return (l == nil || !l.router) && r.onLink.Contains(a.Netip())
}

// external notes that an address from outside stands behind mac, which makes mac a router. Only sessions with an internal
// host on the other side count, so that a device that forges its source addresses in a flood does not vanish behind them.
func (r *Registry) external(a packet.Addr, mac packet.MAC, other *session.Endpoint, now int64) {
	if !r.InternalAddr(other.Addr) || !isHost(other.Addr) {
		return
	}
	l := r.linkOf(mac, now)
	if l == nil || l.router {
		return
	}
	// A host without a router advertisement in sight may well hold a few global IPv6 addresses of its own.
	if !a.Is4() && !l.forwards(a) {
		return
	}
	r.becomeRouter(l, now)
}

func (r *Registry) internalEnd(a packet.Addr, b *binding, mac packet.MAC, ttl uint8, heard bool, now int64) *Device {
	if !heard {
		return r.unheard(a, b)
	}
	// A binding that nobody contests holds; against another MAC it holds while it is fresh.
	if b != nil && (b.mac == mac || b.fresh(now) && (b.strong || mac.IsZero() || b.mac.IsZero())) {
		return r.held(a, b, mac, now)
	}
	l := r.linkOf(mac, now)
	if l == nil || l.router && !isLinkLocal(a) {
		return r.behind(a, now)
	}
	if b != nil && b.fresh(now) {
		// Another MAC carries an address that its holder still uses: both sides of a router are in view.
		if l.forwards(a) {
			r.becomeRouter(l, now)
		}
		return b.dev
	}
	if routedTTL(ttl) {
		if l.forwards(a) {
			r.becomeRouter(l, now)
		}
		return r.behind(a, now)
	}
	d := r.local(a, l, false, now)
	if b := r.bindings[a]; b != nil {
		b.direct = directTTL(ttl)
	}
	return d
}

// held confirms a binding, and learns from a second MAC that carries it.
func (r *Registry) held(a packet.Addr, b *binding, mac packet.MAC, now int64) *Device {
	b.last = max(b.last, now)
	if b.mac == mac || b.mac.IsZero() {
		return b.dev
	}
	if l := r.linkOf(mac, now); l != nil && !l.router && l.forwards(a) {
		r.becomeRouter(l, now)
	}
	return b.dev
}

// unheard gives a device that was only spoken to: one that is known, or one that was declared.
func (r *Registry) unheard(a packet.Addr, b *binding) *Device {
	if b != nil {
		return b.dev
	}
	if name := r.namedIP[a]; name != "" {
		return r.byKey[name]
	}
	return nil
}

// local makes the station behind l the holder of an address.
func (r *Registry) local(a packet.Addr, l *link, strong bool, now int64) *Device {
	if !isLinkLocal(a) && l.note(a, now) && !r.watchMAC[l.mac] {
		r.becomeRouter(l, now)
		if !strong || l.proxy {
			return r.behind(a, now)
		}
	}
	if name := r.namedIP[a]; name != "" {
		return r.namedHolder(name, a, l, strong, now)
	}
	d := r.station(l, now)
	if r.watched(a) {
		r.declare(d)
	}
	if b := r.bindings[a]; strong && b != nil && b.dev != d && b.dev.Key == r.addressKey(a) {
		r.absorb(b.dev, d) // known by its address alone until ARP told its MAC
	}
	r.bind(a, d, l.mac, strong, now)
	return d
}

func (r *Registry) addressKey(a packet.Addr) string {
	return "ip:" + a.Netip().String() + "@" + r.cfg.Site
}

// absorb makes one device of two that turned out to be the same.
func (r *Registry) absorb(from, to *Device) {
	r.settle(to)
	to.FirstSeen, to.LastSeen = min(to.FirstSeen, from.FirstSeen), max(to.LastSeen, from.LastSeen)
	if to.FirstOrigination == 0 || from.FirstOrigination != 0 && from.FirstOrigination < to.FirstOrigination {
		to.FirstOrigination = from.FirstOrigination
	}
	to.LastOrigination = max(to.LastOrigination, from.LastOrigination)
	to.Originated += from.Originated
	to.ObservedDays = max(to.ObservedDays, from.ObservedDays)
	if from.Declared {
		r.declare(to)
	}
	for _, s := range from.Serves {
		to.addServe(s)
	}
	for _, h := range from.Hostnames {
		to.addHostname(h)
	}
	for _, c := range from.claims {
		r.claim(to, c)
	}
	r.drop(from)
	r.stats.Merged++
}

// namedHolder gives the device that the inventory names by its address, whatever MAC it has.
func (r *Registry) namedHolder(name string, a packet.Addr, l *link, strong bool, now int64) *Device {
	d := r.byKey[name]
	if d == nil && l.dev != nil && len(l.dev.IPs) == 0 && !l.dev.Declared {
		d = l.dev // known from DHCP before it had its address
		r.rekey(d, name)
	}
	if d == nil {
		d = r.create(name, now)
	}
	r.declare(d)
	if d.MAC != l.mac {
		r.setMAC(d, l, now)
	}
	r.bind(a, d, l.mac, strong, now)
	return d
}

// station gives the device that has the MAC of l.
func (r *Registry) station(l *link, now int64) *Device {
	if l.dev != nil {
		return l.dev
	}
	key, named := "mac:"+l.mac.String(), false
	if name := r.namedMAC[l.mac]; name != "" {
		key, named = name, true
	}
	d := r.byKey[key]
	if d == nil {
		d = r.create(key, now)
	}
	if named || r.watchMAC[l.mac] {
		r.declare(d)
	}
	r.setMAC(d, l, now)
	return d
}

func (r *Registry) setMAC(d *Device, l *link, now int64) {
	r.changed(d)
	if old := r.links[d.MAC]; old != nil && old.dev == d {
		old.dev = nil
		r.changedLink(old)
	}
	d.MAC, d.RandomMAC, d.Router = l.mac, l.mac.IsLocal(), l.router
	d.Version++
	l.dev = d
	m := enrich.MakerOf(l.mac)
	d.MACKind = m.Kind
	if m.Name != "" {
		r.observeMaker(d, m, now)
	}
	if d.RandomMAC && !virtualRouter(l.mac) {
		r.observe(d, obsRandomMAC, "locally administered", now)
	}
}

// byLink gives the device of a MAC that has no address yet (DHCP from 0.0.0.0).
func (r *Registry) byLink(mac packet.MAC, heard bool, now int64) *Device {
	l := r.linkOf(mac, now)
	if l == nil {
		return nil
	}
	if !heard || l.router {
		return l.dev
	}
	return r.station(l, now)
}

// behind gives the device that is known by its address alone.
func (r *Registry) behind(a packet.Addr, now int64) *Device {
	key := r.namedIP[a]
	if key == "" {
		key = r.addressKey(a)
	}
	d := r.byKey[key]
	if d == nil {
		d = r.create(key, now)
		if r.namedIP[a] != "" || r.watched(a) {
			r.declare(d)
		}
	}
	r.bind(a, d, packet.MAC{}, false, now)
	return d
}

// declare marks a device that the operator named, and keeps it from being the first to go.
func (r *Registry) declare(d *Device) {
	if !d.Declared {
		d.Declared = true
		d.Version++
		r.touch(d, true)
	}
}
