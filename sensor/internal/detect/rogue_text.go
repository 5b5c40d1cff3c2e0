// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
)

// severity is high, but medium for a DHCP server that names the usual router, and while servers are being learned: either may be a second
// server that the operator has set up.
func (r *rogue) severity(o *offer, c *Context) Severity {
	_, listed := c.Contracts.DHCPServer(o.addr)
	switch {
	case o.from.kind != offerRouter && listed:
		return High
	case r.learning(c.Now):
		return Medium
	case o.from.kind == offerDHCP && !o.other.IsValid():
		return Medium
	}
	return High
}

func (r *rogue) finding(o *offer, c *Context, n *counter) *Finding {
	f := &Finding{Rule: r.Rule(), Device: o.dev, Start: n.first, End: o.at, WindowS: daySeconds, Severity: r.severity(o, c)}
	f.Key = o.from.kind.String() + " " + o.addr.String()
	if o.view != nil {
		kept := *o.view
		f.Session = &kept
	}
	if o.dev != nil && o.dev.HasIP(o.addr) {
		f.DeviceAddr = o.addr
	}
	f.Total, f.Count = n.count, n.take()
	f.Entities = entities(f)
	for _, a := range []netip.Addr{o.addr, o.client, o.router, o.other} {
		if a.IsValid() {
			f.Entities = addDistinct(f.Entities, "ip:"+a.String(), maxListed)
		}
	}
	who := f.self()
	if o.dev == nil {
		who = name{o.addr.String(), o.addr.String()}
	}
	if o.from.kind == offerRouter {
		r.describeRouter(f, o, who, n)
	} else {
		r.describeServer(f, o, who, n)
	}
	return f
}

func (r *rogue) describeServer(f *Finding, o *offer, who name, n *counter) {
	protocol := map[offerKind]string{offerDHCP: "DHCP", offerDHCPv6: "DHCPv6"}[o.from.kind]
	f.Title = headline("%s answers %s clients, but is not a known server", who, name{protocol, protocol})
	f.Message = fmt.Sprintf("Expected: only known servers answer %s clients. Seen: since %s %s sent %s to clients%s.",
		protocol, clock(n.first), who.full, Plural(n.count, "offer or lease", "offers or leases"), r.given(o))
	f.Reasons = []Reason{{Code: "unknown_server", Text: "no server with this address is listed, or was seen while servers were learned", Weight: 0.4}}
	data := map[string]any{"server": o.addr.String(), "messages": n.count}
	if !o.mac.IsZero() {
		data["mac"] = o.mac.String()
	}
	if o.client.IsValid() {
		data["address"] = o.client.String()
	}
	if o.router.IsValid() {
		data["router"] = o.router.String()
	}
	if o.other.IsValid() {
		data["known_router"] = o.other.String()
		f.Reasons = append(f.Reasons, Reason{Code: "other_router", Text: "it names another router than the known servers do: traffic would pass through it", Weight: 0.4})
	}
	f.Reasons = append(f.Reasons, benign("a server or relay agent was added; then list it in infrastructure.dhcp"))
	f.Evidence = []Evidence{{Kind: "dhcp_server", Summary: protocol + " server " + o.addr.String(), Data: data}}
	f.Recommendation = rogueRule.advise("", o.dev)
}

// given describes the lease that a client was offered.
func (r *rogue) given(o *offer) string {
	s := ""
	if o.client.IsValid() {
		s += ", last the address " + o.client.String()
	}
	switch {
	case o.other.IsValid() && o.router.IsValid():
		s += " with the router " + o.router.String() + " in place of " + o.other.String()
	case o.router.IsValid():
		s += " with the router " + o.router.String()
	}
	return s
}

func (r *rogue) describeRouter(f *Finding, o *offer, who name, n *counter) {
	f.Title = headline("%s announces itself as an IPv6 router, but is not a known one", who)
	claim := "as " + o.addr.String()
	if o.spoofs {
		claim = "under the address of a known router, " + o.addr.String() + ", with another MAC address"
	}
	f.Message = fmt.Sprintf("Expected: only known routers send router advertisements. Seen: since %s %s sent %s from %s, %s.",
		clock(n.first), who.full, Plural(n.count, "router advertisement", "router advertisements"), o.mac, claim)
	f.Reasons = []Reason{{Code: "unknown_router", Text: "no router with this MAC address was seen while routers were learned", Weight: 0.4}}
	if o.spoofs {
		f.Reasons = append(f.Reasons, Reason{Code: "same_address", Text: "it uses the address of a known router", Weight: 0.4})
	}
	f.Reasons = append(f.Reasons, benign("a router was added or replaced"))
	f.Evidence = []Evidence{{Kind: "router_advertisement", Summary: "router advertisement from " + o.mac.String(),
		Data: map[string]any{"router": o.addr.String(), "mac": o.mac.String(), "messages": n.count, "default_router": o.usable}}}
	f.Recommendation = rogueRule.advise("router", o.dev)
}

// floodFinding is the one finding for all routers of a flood, whose MAC addresses are invented.
func (r *rogue) floodFinding(o *offer, vlan uint16, n *routerFlood) *Finding {
	f := &Finding{Rule: r.Rule(), Start: n.from, End: o.at, Key: fmt.Sprintf("router flood %d", vlan), WindowS: daySeconds, Severity: High}
	f.Total, f.Count = n.count, n.take()
	f.Title = fmt.Sprintf("Router advertisements from %d or more new routers within a minute", r.p.FloodRouters)
	f.Message = fmt.Sprintf("Expected: a few routers on a network. Seen: from %s to %s %s of new routers in VLAN %d, the last from %s.",
		clock(n.first), clock(o.at), Plural(n.count, "advertisement", "advertisements"), vlan, o.mac)
	f.Reasons = []Reason{{Code: "flood", Text: "each advertisement makes every client add a route, until it is overloaded", Weight: 0.6},
		benign("many networks were connected to the mirror port at once")}
	f.Evidence = []Evidence{{Kind: "router_advertisement", Summary: "flood of router advertisements", Data: map[string]any{"messages": n.count, "vlan": vlan}}}
	f.Recommendation = rogueRule.advise("router", nil)
	return f
}
