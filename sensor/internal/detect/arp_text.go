// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/packet"
)

// severity is high if the address is that of a router, or if the same MAC took another address, too: then it sits between two hosts. A
// dispute in which every message answers a request may be a proxy or an address that two hosts use.
func (x *claim) severity(at int64, spoofed, both bool) Severity {
	pushed := x.pushed != 0 && at-x.pushed < minute
	switch {
	case x.gateway && (spoofed || pushed), both:
		return High
	case x.gateway, spoofed, pushed:
		return Medium
	}
	return Low
}

func (s *spoofing) finding(a *assertion, x *claim, c *Context, spoofed, both bool) *Finding {
	f := &Finding{Rule: s.Rule(), Device: c.Devices.ByMAC(a.mac), Start: x.counter.first, End: a.at, WindowS: daySeconds,
		Key: "address " + a.ip.String(), Severity: x.severity(a.at, spoofed, both)}
	f.Total, f.Count = x.count, x.take()
	f.Peer = &Peer{IP: a.ip.String(), External: !c.Devices.Internal(a.ip)}
	if d := c.Devices.ByMAC(x.first); d != f.Device {
		f.Peer.Device = d
	}
	f.Entities = entities(f)
	for _, m := range [...]packet.MAC{a.mac, x.first} {
		f.Entities = addDistinct(f.Entities, "mac:"+m.String(), maxListed)
	}
	protocol, whose := "ARP", "the address "+a.ip.String()
	if a.nd {
		protocol = "Neighbor Discovery"
	}
	if x.gateway {
		whose = "the address of the router, " + a.ip.String()
	}
	who := s.who(f, a)
	f.Title = headline("%s claims %s, which another host has", who, name{whose, whose})
	f.Message = fmt.Sprintf("Expected: %s stays at %s. Seen: since %s %s from %s in %s that give it to %s.",
		a.ip, x.first, clock(x.counter.first), Plural(x.count, "message", "messages"), who.full, protocol, a.mac)
	if spoofed {
		f.Reasons = append(f.Reasons, Reason{Code: "unasked", Text: "replies that nobody asked for: a failover announces itself to everybody", Weight: 0.4})
	}
	if n := since(x.changes, a.at-minute); n >= s.p.Changes {
		f.Reasons = append(f.Reasons, Reason{Code: "disputed", Text: fmt.Sprintf("the address changed its MAC %d times within a minute", n), Weight: 0.3})
	}
	if x.gateway {
		f.Reasons = append(f.Reasons, Reason{Code: "gateway", Text: "the address is that of a router: all traffic out of the network would be sent there", Weight: 0.3})
	}
	if both {
		f.Reasons = append(f.Reasons, Reason{Code: "both_sides", Text: "the same MAC took another address as well, so it can pass on what both send", Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("two hosts use the address by mistake, or a proxy or cluster moves it in this way"))
	f.Evidence = []Evidence{{Kind: "arp", Summary: protocol + ": " + a.ip.String() + " at " + a.mac.String(),
		Data: map[string]any{"address": a.ip.String(), "mac": a.mac.String(), "earlier_mac": x.first.String(), "messages": x.count, "unasked": x.unasked}}}
	f.Recommendation = spoofingRule.advise("", f.Device)
	return f
}

// who names the host that claims an address: never by that address, which may be bound to it by now.
func (s *spoofing) who(f *Finding, a *assertion) name {
	mac := name{a.mac.String(), a.mac.String()}
	if f.Device == nil {
		return mac
	}
	for _, ip := range f.Device.IPs {
		if ip != a.ip {
			f.DeviceAddr = ip
		}
	}
	if !f.DeviceAddr.IsValid() && !named(f.Device) {
		return mac
	}
	return f.self()
}

func (s *spoofing) stormFinding(e *Event, mac packet.MAC, x *announcements, n *counter) *Finding {
	f := &Finding{Rule: s.Rule(), Device: e.Initiator, Start: x.from, End: e.Time, WindowS: daySeconds, Key: "storm " + mac.String(), Severity: Low}
	f.Total, f.Count = n.count, n.take()
	if f.Device != nil {
		f.DeviceAddr = f.Device.IP()
	}
	f.Entities = addDistinct(entities(f), "mac:"+mac.String(), maxListed)
	who := f.self()
	if f.Device == nil {
		who = name{mac.String(), mac.String()}
	}
	f.Title = headline("%s announces its addresses by ARP without end", who)
	f.Message = fmt.Sprintf("Expected: a few announcements when an address is taken. Seen: %d ARP announcements from %s between %s and %s.",
		x.n, mac, clock(x.from), clock(e.Time))
	f.Reasons = []Reason{{Code: "storm", Text: "a loop, a conflict or an attack repeats the announcements", Weight: 0.3}, benign("a cluster announces many addresses for minutes")}
	f.Evidence = []Evidence{{Kind: "arp", Summary: "announcements from " + mac.String(), Data: map[string]any{"mac": mac.String(), "messages": x.n, "seconds": x.seconds}}}
	f.Recommendation = spoofingRule.advise("storm", f.Device)
	return f
}
