// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(rogueRule)

// rogueRule registers D37.
var rogueRule = register(registration{
	Rule: Rule{
		ID: "D37", Name: "Rogue DHCP server or router", Kind: "rogue_server", Version: 1, Reliability: 0.7,
		Attack: join(enterprise(taCredentials, "T1557.003"), ics(icsCollection, "T0830")),
	},
	advice: map[string]steps{
		"": {
			"Find the device by its MAC address on the switch, and ask its owner whether it should give out addresses or routes.",
			"If nobody expects it, shut its switch port, and renew the addresses of the clients that it answered.",
			"Switch on DHCP snooping and RA guard on the access ports. If it is expected, add it to infrastructure.dhcp of the inventory.",
		},
		"router": {
			"Find the device by its MAC address on the switch, and ask its owner whether it should be a router.",
			"If nobody expects it, shut its switch port; clients drop its route when its lifetime ends.",
			"Switch on RA guard on the access ports.",
		},
	},
}, DefaultRogueParams, newRogue)

// RogueParams are the parameters of D37.
type RogueParams struct {
	LearnHours   int `yaml:"learn_hours"`   // hours in which servers and routers that are seen become known
	FloodRouters int `yaml:"flood_routers"` // new routers within a minute and VLAN that are a flood
	MaxServers   int `yaml:"max_servers"`   // servers and routers kept
}

// DefaultRogueParams returns the defaults of D37.
func DefaultRogueParams() RogueParams {
	return RogueParams{LearnHours: 24, FloodRouters: 10, MaxServers: 10_000}
}

// rogue is D37: a host that is not a known server answers DHCP clients (RFC 2131, RFC 8415), or announces itself as a router (RFC 4861).
// Clients then send their traffic through it. Servers are those of the inventory; without a list, those seen while learning.
type rogue struct {
	p        RogueParams
	start    int64
	known    *table[offerer, station]    // learned
	routers  *table[leased, namedRouter] // by subnet, the router that known DHCP servers name
	reported *table[offerer, counter]    // not known
	floods   *table[uint16, routerFlood] // by VLAN
}

// offerer is a server or router. Servers are distinguished by their address, which stays the same behind a relay agent; routers by their MAC,
// because an attacker can repeat the address of the real one.
type offerer struct {
	kind offerKind
	vlan uint16 // DHCPv6 only: addresses of the link are used on many
	addr packet.Addr
	mac  packet.MAC
}

type offerKind uint8

const (
	offerDHCP offerKind = iota
	offerDHCPv6
	offerRouter
	offerAddress // the link-local address of a router
)

func (k offerKind) String() string { return [...]string{"dhcp", "dhcpv6", "router", "address"}[k] }

// station is the MAC that a known server or router was last seen with.
type station struct{ mac packet.MAC }

// leased is a subnet in which a server gives out addresses.
type leased struct {
	vlan   uint16
	subnet packet.Addr
	bits   uint8
}

// namedRouter is the router that a lease names.
type namedRouter struct{ addr packet.Addr }

// routerFlood counts the new routers of a minute.
type routerFlood struct {
	counter
	from int64
	n    int
}

func newRogue(p RogueParams) *rogue {
	return &rogue{p: p, known: newTable[offerer, station](p.MaxServers), routers: newTable[leased, namedRouter](p.MaxServers),
		reported: newTable[offerer, counter](p.MaxServers), floods: newTable[uint16, routerFlood](p.MaxServers)}
}

func (r *rogue) Rule() Rule { return rogueRule.Rule }

func (r *rogue) Kinds() []Kind { return []Kind{SessionFact, LinkFact} }

func (r *rogue) setParams(p RogueParams) {
	r.p = p
	r.known.limit(p.MaxServers)
	r.routers.limit(p.MaxServers)
	r.reported.limit(p.MaxServers)
	r.floods.limit(p.MaxServers)
}

func (r *rogue) parts(*device.Registry) []snapshot.Part {
	key := func(c *snapshot.Codec, k *offerer) {
		snapshot.Enum(c, &k.kind, offerAddress)
		snapshot.Number(c, &k.vlan)
		addrKey(c, &k.addr)
		c.Raw(k.mac[:])
	}
	return []snapshot.Part{
		r.known.part("D37.known/1", key, func(c *snapshot.Codec, s *station) { c.Raw(s.mac[:]) }),
		r.routers.part("D37.routers/1", func(c *snapshot.Codec, k *leased) {
			snapshot.Number(c, &k.vlan)
			addrKey(c, &k.subnet)
			snapshot.Number(c, &k.bits)
		}, func(c *snapshot.Codec, n *namedRouter) { addrKey(c, &n.addr) }),
		r.reported.part("D37.reported/1", key, walkCounter),
		r.floods.part("D37.floods/1", func(c *snapshot.Codec, k *uint16) { snapshot.Number(c, k) }, func(c *snapshot.Codec, f *routerFlood) {
			f.counter.walk(c)
			c.Time(&f.from)
			c.Int(&f.n)
		}),
		snapshot.Single("D37/1", func(c *snapshot.Codec) { c.Time(&r.start) }),
	}
}

func (r *rogue) evictions() uint64 {
	return r.known.evicted() + r.routers.evicted() + r.reported.evicted() + r.floods.evicted()
}

func (r *rogue) Tick(now int64, c *Context) {
	r.reported.expire(now - 2*day)
	r.floods.expire(now - 2*day)
}

// learning reports whether servers and routers that are seen become known.
func (r *rogue) learning(now int64) bool { return now-r.start < int64(r.p.LearnHours)*hour }

func (r *rogue) Observe(e *Event, c *Context) {
	if r.start == 0 {
		r.start = e.Time
	}
	switch m := e.Fact.(type) {
	case *dissect.DHCPMessage:
		r.dhcp(e, c, m)
	case *dissect.DHCPv6Message:
		r.dhcpv6(e, c, m)
	case *dissect.NDMessage:
		if m.Type == 134 {
			r.router(e, c, m)
		}
	}
}

// offer is one message of a server or router.
type offer struct {
	from   offerer
	addr   netip.Addr // of the server or router
	mac    packet.MAC
	dev    *device.Device
	view   *session.View // nil for a router
	at     int64
	client netip.Addr // the address given out; invalid if not known
	router netip.Addr // named by a DHCP server; invalid if none
	other  netip.Addr // the router that known servers of the subnet name, if it is another one
	spoofs bool       // a router advertisement with the address of a known router
	usable bool       // a router that clients use as their default
}

// speaker returns the endpoint of the session of e that sent the fact, and its device.
func (e *Event) speaker() (*session.Endpoint, *device.Device) {
	if e.FactDir == session.In {
		return &e.Session.Responder, e.Responder
	}
	return &e.Session.Initiator, e.Initiator
}

// dhcp checks an OFFER or ACK that gives out an address. A boot server (proxyDHCP) gives out none.
func (r *rogue) dhcp(e *Event, c *Context, m *dissect.DHCPMessage) {
	if m.Type != "offer" && m.Type != "ack" || !m.YourIP.IsValid() {
		return
	}
	end, dev := e.speaker()
	o := &offer{addr: m.ServerID, mac: m.EtherSrc, dev: dev, view: e.Session, at: e.Time, client: m.YourIP, router: m.Router}
	if from := end.Addr.Netip(); !o.addr.IsValid() {
		o.addr = from
	} else if d := c.Devices.ByIP(o.addr); d != nil && from != o.addr { // a relay agent, whose own device is not the server
		o.dev = d
	}
	o.from = offerer{kind: offerDHCP, addr: packet.AddrOf(o.addr)}
	known, listed := c.Contracts.DHCPServer(o.addr)
	subnet, isNet := lease(e.Session, m)
	if named := r.routers.get(subnet, c.Now); isNet && named != nil && named.addr != packet.AddrOf(m.Router) {
		o.other = named.addr.Netip()
	}
	switch {
	case known, !listed && r.known.get(o.from, c.Now) != nil, !listed && r.learning(c.Now) && !o.other.IsValid():
		r.learn(o, c)
		if isNet {
			r.routers.put(subnet, c.Now).addr = packet.AddrOf(m.Router)
		}
	default:
		r.report(o, c)
	}
}

// lease returns the subnet of the address that m gives out; ok is false if m does not name the subnet and its router.
func lease(v *session.View, m *dissect.DHCPMessage) (k leased, ok bool) {
	if m.SubnetBits == 0 || !m.Router.IsValid() {
		return k, false
	}
	if v.NumVLANs > 0 {
		k.vlan = v.VLANs[0]
	}
	p := netip.PrefixFrom(m.YourIP, m.SubnetBits).Masked()
	k.subnet, k.bits = packet.AddrOf(p.Addr()), uint8(m.SubnetBits)
	return k, true
}

// dhcpv6 checks a message of a server. A relay agent passes it on under its own address, so that is the server for the clients of its link.
func (r *rogue) dhcpv6(e *Event, c *Context, m *dissect.DHCPv6Message) {
	const server = 547
	end, dev := e.speaker()
	if m.Type != "advertise" && m.Type != "reply" || end.Port != server {
		return
	}
	o := &offer{addr: end.Addr.Netip(), mac: end.MAC, dev: dev, view: e.Session, at: e.Time}
	if len(m.Addrs) > 0 {
		o.client = m.Addrs[0]
	}
	o.from = offerer{kind: offerDHCPv6, addr: packet.AddrOf(o.addr)}
	if e.Session.NumVLANs > 0 {
		o.from.vlan = e.Session.VLANs[0]
	}
	known, listed := c.Contracts.DHCPServer(o.addr)
	if dev != nil {
		for _, a := range dev.IPs {
			k, l := c.Contracts.DHCPServer(a)
			known, listed = known || k, listed || l && !a.Is4()
		}
	}
	if known || !listed && (r.learning(c.Now) || r.known.get(o.from, c.Now) != nil) {
		r.learn(o, c)
		return
	}
	r.report(o, c)
}

// router checks a router advertisement. A border router of a mesh network announces prefixes with a lifetime of 0: clients do not use it
// as their default, so it counts only if it uses the address of a router that they do use.
func (r *rogue) router(e *Event, c *Context, m *dissect.NDMessage) {
	o := &offer{addr: m.Src, mac: m.EtherSrc, dev: e.Initiator, at: e.Time, usable: m.RouterLifetimeSeconds > 0}
	o.from = offerer{kind: offerRouter, mac: m.EtherSrc}
	if r.known.get(o.from, c.Now) != nil {
		r.learn(o, c)
		return
	}
	holder := r.known.get(offerer{kind: offerAddress, vlan: e.VLAN, addr: packet.AddrOf(m.Src)}, c.Now)
	o.spoofs = holder != nil && holder.mac != o.mac
	if !o.usable && !o.spoofs {
		return
	}
	if r.flood(o, e.VLAN, c) {
		return
	}
	if r.learning(c.Now) && !o.spoofs {
		r.learn(o, c)
		r.known.put(offerer{kind: offerAddress, vlan: e.VLAN, addr: packet.AddrOf(m.Src)}, c.Now).mac = o.mac
		return
	}
	r.report(o, c)
}

func (r *rogue) learn(o *offer, c *Context) { r.known.put(o.from, c.Now).mac = o.mac }

// flood counts a router that is not known, and reports whether there are so many that a single one means nothing.
func (r *rogue) flood(o *offer, vlan uint16, c *Context) bool {
	f := r.floods.put(vlan, c.Now)
	if o.at-f.from >= minute {
		f.from, f.n = o.at, 0
	}
	if r.reported.get(o.from, c.Now) == nil {
		f.n++
	}
	if f.n < r.p.FloodRouters {
		return false
	}
	f.begin(o.at, day)
	if f.add(o.at) {
		c.Emit(r.floodFinding(o, vlan, f))
	}
	return true
}

func (r *rogue) report(o *offer, c *Context) {
	n := r.reported.put(o.from, c.Now)
	n.begin(o.at, day)
	if n.add(o.at) {
		c.Emit(r.finding(o, c, n))
	}
}
