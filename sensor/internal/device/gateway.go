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
