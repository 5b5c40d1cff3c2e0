// SPDX-License-Identifier: Apache-2.0

package device

import (
	"cmp"
	"slices"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// endpoint returns the device at one endpoint of a session, nil if there is none. Only an endpoint that has sent something (heard) becomes
// a device, so that a scan of empty addresses makes none.
func (r *Registry) endpoint(e, other *session.Endpoint, heard bool, now int64) *Device {
	d := r.resolve(e, other, heard, now)
	if d != nil {
		r.pin(d)
	}
	return d
}

func (r *Registry) resolve(e, other *session.Endpoint, heard bool, now int64) *Device {
	mac := e.MAC
	// A group address as the sender does not identify a station: clusters and virtual routers use one for many.
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
	// A claim of an external address by ARP does not make the address internal for others: that would hide their traffic to it.
	if !p.inside && (b == nil || b.mac != mac || b.dev.MAC != mac || mac.IsZero()) && !r.ownAddress(e.Addr, mac) {
		r.external(e.Addr, mac, other, now)
		return nil
	}
	return r.internalEndpoint(e.Addr, b, mac, e.TTL, heard, now)
}

// between records that both endpoints of a session have one MAC: it is that of a router that is seen on both sides, or the capture was made
// that way. In no case is it the MAC of one of them.
func (r *Registry) between(v *session.View, now int64) {
	a, b := &v.Initiator, &v.Responder
	if a.MAC != b.MAC || a.Addr == b.Addr || !isHost(a.Addr) || !isHost(b.Addr) {
		return
	}
	l := r.linkOf(a.MAC, now)
	if l == nil {
		return
	}
	changed := !l.router
	for _, end := range [...]packet.Addr{a.Addr, b.Addr} {
		x := r.binding(end)
		if x == nil || x.mac != l.mac && !x.mac.IsZero() || x.beyond {
			continue
		}
		if x.mac.IsZero() {
			x.at(l.mac)
		}
		x.beyond, changed = true, true
	}
	if changed {
		r.becomeRouter(l, now)
	}
}

// declaredHost reports whether the operator declared an address that no host should have (loopback, reserved). A multicast or broadcast
// address never is that of a host.
func (r *Registry) declaredHost(a packet.Addr) bool {
	if a[0] == 0xff || a.Is4() && (a[12]>>4 == 0xe || a[12]&a[13]&a[14]&a[15] == 0xff) {
		return false
	}
	return r.nameAt(a) != "" || r.watched(a)
}

// ownAddress reports whether an address outside the internal ranges belongs to the station with that MAC: it is made from the MAC, the
// operator declared the MAC, or a router announced its prefix for this link. Addresses from ARP and Neighbor Discovery already have a
// binding.
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

// external records that mac carries an external address, which makes it a router. Only sessions with an internal host count, so that a
// device that forges source addresses in a flood is not taken for a router.
func (r *Registry) external(a packet.Addr, mac packet.MAC, other *session.Endpoint, now int64) {
	if !r.InternalAddr(other.Addr) || !isHost(other.Addr) {
		return
	}
	l := r.linkOf(mac, now)
	if l == nil || l.router {
		return
	}
	// Without a router advertisement a host may still have a few global IPv6 addresses of its own.
	if !a.Is4() && !l.forwards(a) {
		return
	}
	r.becomeRouter(l, now)
}

func (r *Registry) internalEndpoint(a packet.Addr, b *binding, mac packet.MAC, ttl uint8, heard bool, now int64) *Device {
	if !heard {
		return r.unheard(a, b)
	}
	if b == nil || b.mac != mac || !b.knows(ttl) {
		b = r.carried(a, b, mac, ttl, now)
	}
	b.last = max(b.last, now)
	return b.dev
}

// unheard returns the device at an address that has sent nothing: one that is bound to it or that the inventory names.
func (r *Registry) unheard(a packet.Addr, b *binding) *Device {
	if b != nil {
		return b.dev
	}
	if name := r.nameAt(a); name != "" {
		return r.byKey[name]
	}
	return nil
}

func (r *Registry) addressKey(a packet.Addr) string {
	key := "ip:" + a.Netip().String() + "@" + r.cfg.Site
	if s := a.Scope(); !s.IsZero() {
		key += "/" + s.String()
	}
	return key
}

// absorb merges the device that is known by the address of b alone into to.
func (r *Registry) absorb(a packet.Addr, b *binding, to *Device) {
	from := b.dev
	part := alone(from)
	from.claims.RemoveMAC()
	r.take(to, from)
	r.inherit(to, from)
	r.release(a, b)
	if a.Is4() { // only IPv4 addresses have parts
		b.part = part
	}
	r.hold(a, b, to)
	r.moved(from.Key, to, packet.Addr{})
	r.drop(from)
	r.stats.Merged++
}

// take adds the history of another device.
func (r *Registry) take(to, from *Device) {
	r.settle(to)
	r.changed(to)
	if from.FirstSeen != 0 && from.FirstSeen < to.FirstSeen {
		to.FirstSeen = from.FirstSeen
		to.setSeen(from.seenMark())
	}
	to.LastSeen = max(to.LastSeen, from.LastSeen)
	if to.FirstOrigination == 0 || from.FirstOrigination != 0 && from.FirstOrigination < to.FirstOrigination {
		to.FirstOrigination = from.FirstOrigination
	}
	if from.LastOrigination > to.LastOrigination {
		to.LastOrigination = from.LastOrigination
		to.setOpened(from.openedMark())
	}
	if from.WokeAt > to.WokeAt {
		to.WokeAt, to.Silence = from.WokeAt, from.Silence
	}
	to.Originated += from.Originated
	to.ObservedDays = max(to.ObservedDays, from.ObservedDays)
	to.names |= from.names
	to.things |= from.things
	if to.lastDay == from.lastDay {
		to.clients |= from.clients
	}
	to.stack.ttls, to.stack.syns = to.stack.ttls|from.stack.ttls, to.stack.syns|from.stack.syns
	to.opened, to.served = max(to.opened, from.opened), max(to.served, from.served)
	to.addVLANs(from.VLANs)
	if from.Declared {
		r.declare(to)
	}
	for _, s := range from.Serves {
		to.addServe(s)
	}
	for _, h := range from.Hostnames {
		to.addHostname(h)
	}
	for _, p := range from.Prints {
		to.addPrint(p)
	}
	for _, c := range from.claims {
		r.claim(to, c)
	}
	if list := r.pulls[from.ID]; from.ID != 0 {
		for _, server := range list {
			r.pulled(to, server)
		}
	}
}

// namedHolder returns the device that the inventory names by its address. With own, the device gets the MAC of l and the history of that
// MAC.
func (r *Registry) namedHolder(name string, l *link, own bool, now int64) *Device {
	d := r.byKey[name]
	if own && l.dev != nil && l.dev != d && !r.names[l.dev.Key] {
		if old := l.dev; d == nil {
			r.rekey(old, name)
			d = old
		} else {
			r.takeAll(old, d)
		}
	}
	if d == nil {
		d = r.create(name, now)
	}
	r.declare(d)
	if own && d.MAC != l.mac {
		r.setMAC(d, l, now)
	}
	return d
}

// takeAll merges a device with addresses of its own into another.
func (r *Registry) takeAll(from, to *Device) {
	r.take(to, from)
	r.inherit(to, from)
	for _, a := range slices.Clone(from.addrs) {
		r.hold(a, r.bindings[a], to)
	}
	r.moved(from.Key, to, packet.Addr{})
	if l := r.links[from.MAC]; l != nil && l.dev == from {
		l.dev = nil
	}
	r.drop(from)
	r.stats.Merged++
}

// stationKey returns the key of the device with the MAC of l.
func (r *Registry) stationKey(l *link) string {
	return cmp.Or(r.namedMAC[l.mac], "mac:"+l.mac.String())
}

// declaredMAC reports whether the operator named a MAC, in the inventory or with --silent: it is that of one device.
func (r *Registry) declaredMAC(m packet.MAC) bool { return r.watchMAC[m] || r.namedMAC[m] != "" }

// station returns the device that has the MAC of l, which it makes if necessary.
func (r *Registry) station(l *link, now int64) *Device {
	if l.dev != nil {
		return l.dev
	}
	key := r.stationKey(l)
	d := r.byKey[key]
	if d == nil {
		d = r.create(key, now)
	}
	if r.declaredMAC(l.mac) {
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
	v := enrich.VendorOf(l.mac)
	d.MACKind = v.Kind
	if v.Name != "" {
		r.observeVendor(d, v, now)
	}
	if d.RandomMAC && !VirtualRouter(l.mac) {
		r.observe(d, evidence.RandomMAC, "locally administered", now)
	}
}

// byLink returns the device of a MAC whose packets have no source address yet (DHCP from 0.0.0.0).
func (r *Registry) byLink(mac packet.MAC, heard bool, now int64) *Device {
	l := r.linkOf(mac, now)
	if l == nil {
		return nil
	}
	if !heard || l.router || l.proxy {
		return l.dev
	}
	return r.station(l, now)
}

// speaker returns the station with a MAC that sent something of its own. It is a device even if it also forwards for others.
func (r *Registry) speaker(mac packet.MAC, now int64) *Device {
	l := r.linkOf(mac, now)
	if l == nil {
		return nil
	}
	l.self = true
	return r.station(l, now)
}

// behind returns the device that is known by its address alone, which it makes if necessary.
func (r *Registry) behind(a packet.Addr, now int64) *Device {
	key := cmp.Or(r.nameAt(a), r.addressKey(a))
	d := r.byKey[key]
	if d == nil {
		d = r.create(key, now)
		if r.nameAt(a) != "" || r.watched(a) {
			r.declare(d)
		}
		r.observeEmbedded(d, a, now)
	}
	return d
}

// declare marks a device that the operator declared, which is then evicted later than others.
func (r *Registry) declare(d *Device) {
	if !d.Declared {
		d.Declared = true
		d.Version++
		r.touch(d, true)
	}
}
