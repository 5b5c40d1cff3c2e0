// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

// infrastructure defines the sessions that a silent device may open.
//
// If the inventory lists servers for DNS, NTP, DHCP or syslog, only sessions to these count: the list pins them. Otherwise every DNS,
// NTP and DHCP session counts, also to an external server: a device that uses a public time server is no finding, and other detectors
// look for tunnels. Syslog counts only inside the network. The protocol must be that of the port: a session on port 53 or 123 that
// carries something else, or that stays unrecognized, is not infrastructure. Otherwise an intruder could stay silent by choosing a
// port.
type infrastructure struct {
	list     Infrastructure
	internal []netip.Prefix
}

func (f *infrastructure) init(inv *Inventory, internal []netip.Prefix) {
	if inv != nil {
		f.list = inv.Infrastructure
		if len(internal) == 0 {
			internal = inv.Internal
		}
	}
	if f.internal = internal; len(internal) == 0 {
		f.internal = device.DefaultInternal()
	}
}

// allows reports whether a session is infrastructure.
func (f *infrastructure) allows(v *session.View, app *fingerprint.App, peerName string) bool {
	if v.ToGroup() {
		return isDiscovery(v)
	}
	a := v.Responder.Addr.Netip()
	switch v.Proto {
	case 1:
		return v.ICMPType != 8 // errors and replies open nothing
	case 58:
		return v.ICMPType != 128
	case 2:
		return true
	case 6:
		return v.Responder.Port == 53 && speaksPortProtocol(v, app) && pinned(f.list.DNS, a, peerName)
	case 17:
		return f.datagram(v, a, app, peerName)
	}
	return false
}

func (f *infrastructure) datagram(v *session.View, a netip.Addr, app *fingerprint.App, peerName string) bool {
	switch v.Responder.Port {
	case 53:
		return speaksPortProtocol(v, app) && pinned(f.list.DNS, a, peerName)
	case 123:
		return speaksPortProtocol(v, app) && pinned(f.list.NTP, a, peerName)
	case 67, 547:
		return speaksPortProtocol(v, app) && pinned(f.list.DHCP, a, peerName)
	case 68, 546: // to a client: the server is at the other end
		return speaksPortProtocol(v, app) && pinned(f.list.DHCP, v.Initiator.Addr.Netip(), "")
	case 514:
		return hasHost(f.list.Syslog, a, peerName) || f.list.Syslog == nil && inAny(f.internal, a)
	}
	return false
}

// Service is a service of the infrastructure.
type Service uint8

// The services whose servers an inventory can list.
const (
	NoService Service = iota
	DNS
	NTP
	DHCP
	Syslog
)

// ServiceOf returns the service to which the port of a session belongs.
func ServiceOf(v *session.View) Service {
	switch p := v.Responder.Port; {
	case p == 53 && (v.Proto == 6 || v.Proto == 17):
		return DNS
	case v.Proto != 17:
		return NoService
	case p == 123:
		return NTP
	case p == 67, p == 547:
		return DHCP
	case p == 514:
		return Syslog
	}
	return NoService
}

// Server reports whether the inventory lists a server of a service by its address or one of its names. listed is false if the inventory
// lists none.
func (b *Registry) Server(s Service, a netip.Addr, names []string) (known, listed bool) {
	hosts := [...][]Host{DNS: b.infra.list.DNS, NTP: b.infra.list.NTP, DHCP: b.infra.list.DHCP, Syslog: b.infra.list.Syslog}[s]
	known = hasHost(hosts, a, "") || slices.ContainsFunc(names, func(n string) bool { return hasHost(hosts, a, n) })
	return known, hosts != nil
}

// PortProtocol returns the infrastructure protocol of the port of a session, "" if it has none.
func PortProtocol(v *session.View) string {
	switch p := v.Responder.Port; {
	case p == 53 && (v.Proto == 6 || v.Proto == 17):
		return "dns"
	case v.Proto != 17:
		return ""
	case p == 123:
		return "ntp"
	case p == 67, p == 68:
		return "dhcp"
	case p == 546, p == 547:
		return "dhcpv6"
	}
	return ""
}

// WrongProtocol reports whether a session on an infrastructure port carries another protocol: it was recognized as something else, or
// should have been recognized by now. app may be nil.
func WrongProtocol(v *session.View, app *fingerprint.App) bool {
	return PortProtocol(v) != "" && !v.ToGroup() && !speaksPortProtocol(v, app)
}

// unreadBytes is how much a session may carry in both directions before the protocol of its port must have been recognized. The first
// request is enough for that, but truncated captures lose some.
const unreadBytes = 4096

// speaksPortProtocol reports whether a session carries the protocol of its port, or may still be recognized as that.
func speaksPortProtocol(v *session.View, app *fingerprint.App) bool {
	if app != nil && app.Name != "" {
		return app.Name == PortProtocol(v)
	}
	if v.PayloadBytes[session.Out]+v.PayloadBytes[session.In] > unreadBytes {
		return false
	}
	// A stream that is closed and complete will not be recognized later.
	over := v.State == session.Closed || v.State == session.Reset
	return v.Proto != 6 || !over || v.Gap || v.PayloadBytes[session.Out] == 0
}

func pinned(hosts []Host, a netip.Addr, name string) bool {
	return hosts == nil || hasHost(hosts, a, name)
}

// isDiscovery reports whether a multicast or broadcast belongs to discovery. A packet to everybody is no session, but a device that
// streams to a group is not silent.
func isDiscovery(v *session.View) bool {
	if v.Proto != 17 {
		return true // IGMP, ICMPv6, routing and redundancy protocols
	}
	switch p := v.Responder.Port; p {
	case 67, 68, 137, 138, 546, 547, 1900, 3702, 5353, 5355, 5350, 5351, 123, 427, 1985, 2029, 6666, 6667, 37020, 37810, 34569, 9999, 10001:
		return true
	}
	return v.IPBytes[session.Out] < 64<<10
}
