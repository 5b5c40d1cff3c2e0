// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// assume binds an address that a station says is its own, in duplicate address detection or mDNS, if nothing else is known of the address.
// Anybody can say so: such a binding does not count for what makes a MAC a router or a proxy, and ends with the first packet from another MAC.
func (r *Registry) assume(ip netip.Addr, mac packet.MAC, now int64) {
	l := r.links[mac]
	if l == nil || l.dev == nil || l.dev.MAC != mac || l.router || l.proxy || l.proxy6 || len(l.dev.addrs) >= MaxIPs || !ip.IsValid() {
		return
	}
	a := packet.AddrOf(ip.Unmap())
	p := r.at(&a)
	if p.bound != nil || !isHost(a) || !p.inside && !r.ownAddress(a, mac) || r.nameAt(a) != "" || r.suspect(a) {
		return
	}
	b := &binding{last: now}
	b.at(mac)
	b.assumed = true
	r.place(a, b, l, now)
}

// sameName binds the addresses that a device announces for its own host name in mDNS (RFC 6762): those of the name that also has the address
// that the message came from. So a reflector of announcements, or a proxy for hosts that sleep, does not get the addresses of others.
func (r *Registry) sameName(v *session.View, m *dissect.DNSMessage, dir session.Dir, now int64) {
	if !m.MDNS || !m.Response {
		return
	}
	from := speakerOf(v, dir)
	b := r.binding(from.Addr)
	if b == nil || b.dev == nil || b.dev.MAC.IsZero() || b.dev.MAC != b.mac {
		return
	}
	at := slices.IndexFunc(m.Answers, func(x dissect.DNSAnswer) bool { return x.Addr.IsValid() && packet.AddrOf(x.Addr.Unmap()) == from.Addr })
	if at < 0 {
		return
	}
	for i := range m.Answers {
		if x := &m.Answers[i]; x.Addr.IsValid() && x.TTL > 0 && strings.EqualFold(x.Name, m.Answers[at].Name) {
			r.assume(x.Addr, b.mac, now)
		}
	}
}

// speakerOf returns the endpoint that sent in a direction.
func speakerOf(v *session.View, dir session.Dir) *session.Endpoint {
	if dir == session.In {
		return &v.Responder
	}
	return &v.Initiator
}

// lease6 binds the addresses in a DHCPv6 reply to the station that it was sent to (RFC 8415 section 18.3.9). The MAC in the DUID of the client
// is not used: it may be that of another interface (section 11).
func (r *Registry) lease6(v *session.View, m *dissect.DHCPv6Message, dir session.Dir, now int64) {
	if m.Type != "reply" || len(m.Addrs) == 0 {
		return
	}
	to := speakerOf(v, 1-dir).Addr
	if !isLinkLocal(to) {
		return
	}
	mac := embeddedMAC(to)
	if b := r.binding(to); b != nil {
		if b.dev == nil || b.dev.MAC != b.mac {
			return // known without a MAC, or behind a proxy
		}
		mac = b.mac
	}
	for _, a := range m.Addrs {
		r.strong(packet.AddrOf(a.Unmap()), mac, true, now)
	}
}

// standsFor reports whether l is known to answer for others, and the address is one whose host has shown its own MAC: by DHCP, or because the
// address was made from it.
func (l *link) standsFor(a packet.Addr, b *binding) bool {
	return l.proxy && b.leased || l.proxy6 && !a.Is4() && (b.leased || fromMAC(a, b.mac))
}

// weighProxy6 marks a MAC that carries addresses made from the MACs of two other stations, as a proxy of Neighbor Discovery (RFC 4389) or a
// repeater does. One such address may be of a station whose MAC was changed.
func (r *Registry) weighProxy6(a packet.Addr, b *binding, l *link, now int64) {
	if l.proxy6 || b.mac != l.mac || !b.strong && !b.direct || !foreignTo(a, l.mac) || VirtualRouter(l.mac) || r.declaredMAC(l.mac) {
		return
	}
	for _, x := range r.addrsAt(l) {
		if y := r.bindings[x]; y != nil && foreignTo(x, l.mac) && embeddedMAC(x) != embeddedMAC(a) && (y.strong || y.direct && !y.beyond) {
			l.proxy6, l.self = true, true
			r.settleLink(l, now)
			return
		}
	}
}

// foreignTo reports whether an address was made from another MAC.
func foreignTo(a packet.Addr, m packet.MAC) bool {
	x := embeddedMAC(a)
	return !x.IsZero() && x != m
}

// answersForOthers6 is answersForOthers for IPv6: one host does not have that many addresses in one subnet of 64 bits.
func (r *Registry) answersForOthers6(l *link) bool {
	n := map[[8]byte]int{}
	for _, x := range l.addrs {
		if b := r.bindings[x.addr]; !x.addr.Is4() && b != nil && b.strong && !b.leased && b.mac == l.mac {
			if n[[8]byte(x.addr[:8])]++; n[[8]byte(x.addr[:8])] >= routerAddrs6-1 {
				l.self = true
				return true
			}
		}
	}
	return false
}
