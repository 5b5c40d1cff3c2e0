// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"

	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// maxGateways bounds the gateways learned from DHCP and router advertisements, which anybody can send.
const maxGateways = 256

func (r *Registry) noteGateway(ip netip.Addr) {
	if ip.IsValid() && !ip.IsUnspecified() && len(r.gateways) < maxGateways {
		r.gateways[packet.AddrOf(ip.Unmap())] = true
	}
}

// GatewayBasis is why an address counts as that of a router.
type GatewayBasis uint8

// The reasons, the strongest last.
const (
	NoGateway       GatewayBasis = iota
	GatewayForwards              // the station that has it forwards for others
	GatewayNamed                 // DHCP (option 3) or a router advertisement named it
)

// Gateway returns why an address that the station with a MAC has is that of a router.
func (r *Registry) Gateway(ip netip.Addr, holder packet.MAC) GatewayBasis {
	if ip.IsValid() && r.gateways[packet.AddrOf(ip.Unmap())] {
		return GatewayNamed
	}
	if l := r.links[holder]; l != nil && l.router {
		return GatewayForwards
	}
	return NoGateway
}

// ToGateway reports whether a session goes to the router of the initiator's own network: an internal address that DHCP (option 3) or a
// router advertisement named, or that forwards for others; if nothing is known, the first or last address of the same /24.
func (r *Registry) ToGateway(v *session.View, peer *Device) bool {
	a, self := v.Responder.Addr, v.Initiator.Addr
	if !r.InternalAddr(a) {
		return false
	}
	if r.gateways[a] || peer != nil && peer.Router {
		return true
	}
	if l := r.links[v.Responder.MAC]; l != nil && l.router && directTTL(v.Responder.TTL) {
		return true
	}
	return a.Is4() && [15]byte(a[:15]) == [15]byte(self[:15]) && (a[15] == 1 || a[15] == 254)
}

// maxOwnAddrs is how many IPv4 addresses a station has at most that is no relay: its own and one more.
const maxOwnAddrs = 2

// Station reports whether packets from a MAC can come from the host itself: the MAC forwards for no others and
// carries few addresses. A Wi-Fi extender carries those of its clients.
func (r *Registry) Station(mac packet.MAC) bool {
	l := r.links[mac]
	if l == nil {
		return true
	}
	n := 0
	for i := range l.addrs {
		if l.addrs[i].addr.Is4() {
			n++
		}
	}
	return !l.router && !l.proxy && !l.proxy6 && n <= maxOwnAddrs
}

// Leased reports whether DHCP gave an address to a MAC.
func (r *Registry) Leased(a netip.Addr, mac packet.MAC) bool {
	b := r.binding(packet.AddrOf(a.Unmap()))
	return b != nil && b.leased && b.mac == mac
}
