// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(unpinnedRule)

// unpinnedRule registers D10.
var unpinnedRule = register(registration{
	Rule: Rule{
		ID: "D10", Name: "Unknown infrastructure", Kind: "unpinned_infrastructure", Version: 1, Reliability: 0.4,
		Attack: join(enterprise(taCommand, "T1071.004"), enterprise(taCredentials, "T1557"), ics(icsCommand, "T0869")),
	},
	titleOrder: 8,
	advice: map[string]steps{
		"": {
			"Find out whose address the server is. Vendors set public servers such as 8.8.8.8 in their firmware.",
			"Compare the network settings of the device with those that DHCP or its owner gave it.",
			"If the server is right, allow it in the inventory. If nobody knows it: {then contain}",
		},
		"budget": {
			"Record the traffic with this server in full, and look at what the packets carry.",
			"{inspect}",
			"If a software fault is not the cause: {then contain}",
		},
		"hosts": {
			"Find out why the hosts ask this server: a browser, a VPN or a manual setting.",
			"Allow DNS at the firewall from the resolvers of the network only.",
			"If the server is right, list it under infrastructure.dns of the inventory.",
		},
	},
}, DefaultUnpinnedParams, newUnpinned)

// UnpinnedParams are the parameters of D10.
type UnpinnedParams struct {
	DNSBytes   int `yaml:"dns_bytes"`   // payload that a device may exchange with one DNS server in an hour
	NTPBytes   int `yaml:"ntp_bytes"`   // the same with one time server
	NTPPackets int `yaml:"ntp_packets"` // packets that a device may send to one time server in an hour
	Malformed  int `yaml:"malformed"`   // sessions an hour on port 53 or 123 without a message of that protocol
	MaxServers int `yaml:"max_servers"` // servers, and pairs of device and server, kept
}

// DefaultUnpinnedParams returns the defaults of D10.
func DefaultUnpinnedParams() UnpinnedParams {
	return UnpinnedParams{DNSBytes: 1_000_000, NTPBytes: 100_000, NTPPackets: 300, Malformed: 3, MaxServers: 50_000}
}

// unpinned is D10: a device that opens little uses a DNS, NTP, DHCP or log server that nobody has given it, or uses a known one for more
// than a client needs. The sessions of infrastructure are allowed to silent devices, so intruders hide control channels in them.
type unpinned struct {
	p        UnpinnedParams
	given    *table[server, struct{}]    // announced by DHCP
	used     *table[serviceUse, counter] // servers that nobody has given, by device
	hosts    *table[server, counter]     // the same by server, of devices from which much is expected
	budgets  *table[serverUse, usage]    // of this hour
	sessions *table[uint64, spent]       `snapshot:"-"` // as far as they were counted
	own      bool                        // DHCP has announced a resolver inside the network
	spoken   [contract.Syslog + 1]bool   // services whose messages are recognized here: the capture is not cut
}

// server is a server of a service.
type server struct {
	service contract.Service
	addr    packet.Addr
}

// serviceUse is a device and a service that it uses.
type serviceUse struct {
	device  uint32
	service contract.Service
}

func newUnpinned(p UnpinnedParams) *unpinned {
	n := p.MaxServers
	return &unpinned{p: p, given: newTable[server, struct{}](n), used: newTable[serviceUse, counter](n), hosts: newTable[server, counter](n),
		budgets: newTable[serverUse, usage](n), sessions: newTable[uint64, spent](n)}
}

func (u *unpinned) Rule() Rule { return unpinnedRule.Rule }

func (u *unpinned) Kinds() []Kind {
	return []Kind{SessionOpened, SessionFact, SessionProgress, SessionEnded}
}

func (u *unpinned) setParams(p UnpinnedParams) {
	u.p = p
	u.given.limit(p.MaxServers)
	u.used.limit(p.MaxServers)
	u.hosts.limit(p.MaxServers)
	u.budgets.limit(p.MaxServers)
	u.sessions.limit(p.MaxServers)
}

func (s *server) walk(c *snapshot.Codec) {
	snapshot.Enum(c, &s.service, contract.Syslog)
	addrKey(c, &s.addr)
}

func (u *unpinned) parts(*device.Registry) []snapshot.Part {
	key := func(c *snapshot.Codec, k *server) { k.walk(c) }
	return []snapshot.Part{
		u.given.part("D10.given/1", key, nothing),
		u.used.part("D10.used/1", func(c *snapshot.Codec, k *serviceUse) {
			deviceKey(c, &k.device)
			snapshot.Enum(c, &k.service, contract.Syslog)
		}, walkCounter),
		u.hosts.part("D10.hosts/1", key, walkCounter),
		u.budgets.part("D10.budgets/1", func(c *snapshot.Codec, k *serverUse) {
			deviceKey(c, &k.device)
			k.server.walk(c)
		}, func(c *snapshot.Codec, x *usage) { x.walk(c) }),
		snapshot.Single("D10/1", func(c *snapshot.Codec) { c.Bool(&u.own) }),
	}
}

func (u *unpinned) evictions() uint64 {
	return u.given.evicted() + u.used.evicted() + u.hosts.evicted() + u.budgets.evicted() + u.sessions.evicted()
}

func (u *unpinned) Tick(now int64, c *Context) {
	u.given.expire(now - 30*day)
	u.used.expire(now - 2*day)
	u.hosts.expire(now - 2*day)
	u.budgets.expire(now - 2*day)
}

func (u *unpinned) Observe(e *Event, c *Context) {
	if m, ok := e.Fact.(*dissect.DHCPMessage); ok && m.Type == "ack" {
		u.learn(m, c)
	}
	service := contract.ServiceOf(e.Session)
	if service == contract.NoService || e.Initiator == nil {
		return
	}
	recognized := e.Kind == SessionFact && e.Named && e.App.Name == serviceNames[service]
	if recognized {
		u.spoken[service] = true
	}
	if e.Kind != SessionOpened && e.Kind != SessionEnded && e.Kind != SessionProgress && !recognized || !Originated(e) || isServer(e.Initiator, service, c) {
		return
	}
	x, _ := c.Contracts.Expect(e.Initiator, c.Now)
	limited := x != contract.Normal || isAppliance(e.Initiator)
	switch {
	case limited && e.Kind == SessionOpened:
		u.contact(e, c, service, x)
	case limited && e.Kind != SessionFact && (service == contract.DNS || service == contract.NTP):
		u.spend(e, c, service, x)
	case !limited && recognized && service == contract.DNS:
		u.bypass(e, c)
	}
}

var serviceNames = [...]string{contract.DNS: "dns", contract.NTP: "ntp", contract.DHCP: "dhcp", contract.Syslog: "syslog"}

// learn keeps the servers that DHCP gives to the clients of a network. A server that the inventory does not list gives none.
func (u *unpinned) learn(m *dissect.DHCPMessage, c *Context) {
	if known, listed := c.Contracts.DHCPServer(m.ServerID); listed && !known {
		return
	}
	for service, addrs := range [...][]netip.Addr{contract.DNS: m.Resolvers, contract.NTP: m.Clocks, contract.Syslog: m.Loggers} {
		for _, a := range addrs {
			u.given.put(server{contract.Service(service), packet.AddrOf(a)}, c.Now)
			u.own = u.own || contract.Service(service) == contract.DNS && c.Devices.Internal(a)
		}
	}
}

// isServer reports whether a device is a server of a service itself, or a router, which asks for others.
func isServer(d *device.Device, s contract.Service, c *Context) bool {
	if d.Router || s == contract.DNS && resolves(d) || s == contract.NTP && d.ServesOn(123, "udp") != nil || s == contract.Syslog && d.ServesOn(514, "udp") != nil {
		return true
	}
	for _, a := range d.IPs {
		if known, _ := c.Contracts.Server(s, a, nil); known {
			return true
		}
	}
	return false
}

// known reports whether a device may use a server: one that the inventory lists or allows; without a list, one that DHCP has announced or
// that is inside the network. listed reports whether the inventory has a list. Without one, nothing is said about public time servers and
// about DHCP, where D37 finds false servers.
func (u *unpinned) known(e *Event, c *Context, service contract.Service) (known, listed bool) {
	a := e.Session.Responder.Addr.Netip()
	var names []string
	if c.Contracts.HasInventory() {
		names = c.TrustedNames(e)
	}
	known, listed = c.Contracts.Server(service, a, names)
	switch {
	case known || c.verdict(e).Entry != "":
		return true, listed
	case listed:
		return false, true
	case service == contract.NTP || service == contract.DHCP || !c.external(e.Responder, a):
		return true, false
	}
	return u.given.get(server{service, e.Session.Responder.Addr}, c.Now) != nil, false
}

// contact counts a session of a device that should be silent, or of an appliance, to a server that nobody has given it.
func (u *unpinned) contact(e *Event, c *Context, service contract.Service, x contract.Expect) {
	known, listed := u.known(e, c, service)
	if known || x == contract.Normal && !listed && e.Session.V6 { // how hosts learn IPv6 resolvers is not read
		return
	}
	n := u.used.put(serviceUse{e.Initiator.ID, service}, c.Now)
	n.begin(c.Now, day)
	seen := len(n.peers)
	if n.addPeer(e.Session.Start, addr(&e.Session.Responder, e.Session.V6)) || len(n.peers) > seen {
		c.Emit(u.contactFinding(e, c, service, listed, n))
	}
}

// bypass counts a host that asks another resolver than those of the network. One finding for each resolver counts all such hosts.
func (u *unpinned) bypass(e *Event, c *Context) {
	known, listed := u.known(e, c, contract.DNS)
	if known || !listed && !u.own {
		return
	}
	n := u.hosts.put(server{contract.DNS, e.Session.Responder.Addr}, c.Now)
	n.begin(c.Now, day)
	if n.addPeer(e.Session.Start, addr(&e.Session.Initiator, e.Session.V6)) {
		c.Emit(u.hostsFinding(e, c, n))
	}
}
