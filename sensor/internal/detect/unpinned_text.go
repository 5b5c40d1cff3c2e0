// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/session"
)

var serviceTexts = [...]string{contract.DNS: "DNS server", contract.NTP: "time server", contract.DHCP: "DHCP server", contract.Syslog: "log server"}

func (u *unpinned) contactFinding(e *Event, c *Context, service contract.Service, listed bool, n *counter) *Finding {
	f := c.sessionFinding(u.Rule(), e, session.Out)
	x, source := c.Contracts.Expect(e.Initiator, c.Now)
	v := c.verdict(e)
	f.Key, f.Stage, f.Maintenance = serviceNames[service], StageOutbound, v.Maintenance
	if !v.Allowed {
		f.Broken = Clean(v.Broken, 300)
	}
	f.Severity = Low
	if x != contract.Normal {
		f.Severity = Medium
	}
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	f.Peers = slices.Clone(n.peers)
	f.Entities = append(f.Entities, ipEntities(n.peers)...)
	who, to, what := f.self(), f.other(), serviceTexts[service]
	f.Brief = "uses the unknown " + what + " " + to.brief()
	f.Title = headline("%s uses the "+what+" %s, which is not configured for it", who, to)
	seen := fmt.Sprintf("%s to %s, last to %s", Plural(n.count, "session", "sessions"), Plural(len(n.peers), "such server", "such servers"), to.full)
	f.Message = fmt.Sprintf("Expected: %s uses %s. Seen: since %s %s.", who.full, basis(service, listed), clock(n.first), seen)
	text := "the inventory lists the " + what + "s, and this is none of them"
	if !listed {
		text = "the server is outside, and no DHCP server was seen to announce it"
	}
	f.Reasons = []Reason{{Code: "unknown_server", Text: text, Weight: 0.4}}
	if x != contract.Normal {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("the vendor has set the server in the firmware; then allow it in the inventory"))
	f.Evidence = []Evidence{{Kind: "servers", Summary: what + "s used: " + listing(n.peers, 5), Data: map[string]any{"service": serviceNames[service], "servers": f.Peers, "sessions": n.count}}}
	f.Recommendation = unpinnedRule.advise("", f.Device)
	return f
}

// basis describes the servers that a device is expected to use.
func basis(service contract.Service, listed bool) string {
	what := serviceTexts[service] + "s"
	if listed {
		return "only the " + what + " that the inventory lists"
	}
	return what + " inside the network, or those that DHCP announces"
}

func (u *unpinned) hostsFinding(e *Event, c *Context, n *counter) *Finding {
	f := c.sessionFinding(u.Rule(), e, session.Out)
	f.Device, f.DeviceAddr = nil, netip.Addr{} // about many hosts
	f.Key, f.Severity, f.Stage = "hosts dns "+f.Peer.IP, Informational, StageNone
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	f.Peers = slices.Clone(n.peers)
	f.Entities = append([]string{"ip:" + f.Peer.IP}, ipEntities(n.peers)...)
	hosts := Plural(len(n.peers), "host", "hosts")
	if len(n.peers) == maxListed {
		hosts = fmt.Sprintf("%d or more hosts", maxListed)
	}
	to := f.other()
	f.Title = headline(hosts+" of the network ask the DNS server %s past the resolvers", to)
	if len(n.peers) == 1 {
		f.Title = headline("A host of the network asks the DNS server %s past the resolvers", to)
	}
	f.Message = fmt.Sprintf("Expected: hosts ask the resolvers of the network. Seen: since %s %s opened %s of DNS with %s.",
		clock(n.first), hosts, Plural(n.count, "session", "sessions"), to.full)
	f.Reasons = []Reason{{Code: "unknown_server", Text: "the resolver is neither listed nor announced by DHCP", Weight: 0.2},
		benign("users or programs set a public resolver, and the site allows it")}
	f.Evidence = []Evidence{{Kind: "hosts", Summary: hosts + ": " + listing(n.peers, 5), Data: map[string]any{"hosts": f.Peers, "sessions": n.count}}}
	f.Recommendation = unpinnedRule.advise("hosts", nil)
	return f
}
