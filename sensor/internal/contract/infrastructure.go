// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"net/netip"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

// infrastructure says which sessions a silent device may open.
//
// Where the inventory lists the servers for names, time, addresses or logs, only sessions to those count: the list pins
// them. Where it lists none, every DNS, NTP and DHCP session counts, also to an external server: a device that keeps
// its clock with a public server is no finding of its own, and that it hides something there is for the detectors of
// tunnels and of unpinned infrastructure to say. Syslog counts only when it stays inside. The protocol must be that of the
// port: a session on port 53 or 123 whose bytes were read as something else, or that goes on without being read as what it
// should be, is not infrastructure. Otherwise a port number would be all that a taken device needs to be silent.
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
		return groupChatter(v)
	}
	a := v.Responder.Addr.Netip()
	switch v.Proto {
	case 1:
		return v.ICMPType != 8 // errors and answers open nothing
	case 58:
		return v.ICMPType != 128
	case 2:
		return true
	case 6:
		return v.Responder.Port == 53 && spoken(v, app) && pinned(f.list.DNS, a, peerName)
	case 17:
		return f.datagram(v, a, app, peerName)
	}
	return false
}

func (f *infrastructure) datagram(v *session.View, a netip.Addr, app *fingerprint.App, peerName string) bool {
	switch v.Responder.Port {
	case 53:
		return spoken(v, app) && pinned(f.list.DNS, a, peerName)
	case 123:
		return spoken(v, app) && pinned(f.list.NTP, a, peerName)
	case 67, 68, 546, 547:
		return spoken(v, app) && pinned(f.list.DHCP, a, peerName)
	case 514:
		return hasHost(f.list.Syslog, a, peerName) || f.list.Syslog == nil && inAny(f.internal, a)
	}
	return false
}

// Promised gives the protocol that makes a unicast session on a port infrastructure, "" if none does.
func Promised(v *session.View) string {
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

// Disguised reports whether a session stands on a port of infrastructure and is not what that port promises: it was read as something
// else, or it should have been read by now. App may be nil.
func Disguised(v *session.View, app *fingerprint.App) bool {
	return Promised(v) != "" && !v.ToGroup() && !spoken(v, app)
}

// unreadBytes is how much a session may carry, both ways together, without being read as what its port promises. The first question
// tells, and truncated captures lose some.
const unreadBytes = 4096

// spoken reports whether a session speaks what its port promises, or may still be read as that.
func spoken(v *session.View, app *fingerprint.App) bool {
	if app != nil && app.Name != "" {
		return app.Name == Promised(v)
	}
	if v.PayloadBytes[session.Out]+v.PayloadBytes[session.In] > unreadBytes {
		return false
	}
	// A stream that is over and of which no byte was missed will tell no more.
	over := v.State == session.Closed || v.State == session.Reset
	return v.Proto != 6 || !over || v.Gap || v.PayloadBytes[session.Out] == 0
}

func pinned(hosts []Host, a netip.Addr, name string) bool {
	return hosts == nil || hasHost(hosts, a, name)
}

// groupChatter reports whether a multicast or broadcast is of the kind that hosts send to find and be found. What is sent to
// everybody is no session to anybody, but a device that streams to a group is not silent.
func groupChatter(v *session.View) bool {
	if v.Proto != 17 {
		return true // IGMP, ICMPv6, routing and redundancy protocols
	}
	switch p := v.Responder.Port; p {
	case 67, 68, 137, 138, 546, 547, 1900, 3702, 5353, 5355, 5350, 5351, 123, 427, 1985, 2029, 6666, 6667, 37020, 37810, 34569, 9999, 10001:
		return true
	}
	return v.IPBytes[session.Out] < 64<<10
}
