// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"net/netip"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(spoofingRule)

// spoofingRule registers D38.
var spoofingRule = register(registration{
	Rule: Rule{
		ID: "D38", Name: "ARP spoofing", Kind: "arp_spoofing", Version: 1, Reliability: 0.7,
		Attack: join(enterprise(taCredentials, "T1557.002"), ics(icsCollection, "T0830")),
	},
	advice: map[string]steps{
		"": {
			"Compare the MAC address of the address on the device itself with the one in this alert, and find both on the switch.",
			"If the second one does not belong there, shut its switch port, and clear the ARP or neighbor cache of the hosts that it addressed.",
			"Change passwords that crossed the network unencrypted meanwhile, and switch on dynamic ARP inspection.",
		},
		"storm": {
			"Find the device by its MAC address on the switch.",
			"Look for a loop on its port, and for a cluster or address conflict in its log.",
			"Limit ARP on its switch port until the cause is removed.",
		},
	},
}, DefaultSpoofingParams, newSpoofing)

// SpoofingParams are the parameters of D38.
type SpoofingParams struct {
	Changes       int `yaml:"changes"`        // changes of the MAC of one address within a minute
	Replies       int `yaml:"replies"`        // replies that nobody asked for, after which a new MAC of an address counts
	AnswerSeconds int `yaml:"answer_seconds"` // time after a request within which a reply to its sender was asked for
	StormMessages int `yaml:"storm_messages"` // announcements of one MAC within a minute
	StormSeconds  int `yaml:"storm_seconds"`  // seconds of that minute that must have some, so that one burst is no storm
	MaxAddresses  int `yaml:"max_addresses"`  // addresses kept with the MAC that has them
	KeptHours     int `yaml:"kept_hours"`     // hours after which the earlier MAC of an address no longer counts
}

// DefaultSpoofingParams returns the defaults of D38.
func DefaultSpoofingParams() SpoofingParams {
	return SpoofingParams{Changes: 3, Replies: 2, AnswerSeconds: 2, StormMessages: 300, StormSeconds: 20, MaxAddresses: 50_000, KeptHours: 1}
}

// spoofing is D38: ARP (RFC 826) or Neighbor Discovery (RFC 4861) says that an address has moved to another MAC in a way that no failover
// does: by replies that nobody asked for, or back and forth. Failover moves an address once, with announcements to everybody.
type spoofing struct {
	p      SpoofingParams
	claims *table[linkAddress, claim]
	asked  *table[question, struct{}]
	takers *table[packet.MAC, taker]
	recent *table[packet.MAC, announcements]
	storms *table[packet.MAC, counter]
}

// linkAddress is an address on one VLAN.
type linkAddress struct {
	vlan uint16
	addr packet.Addr
}

// question is a request for an address and who sent it.
type question struct {
	of   linkAddress
	from packet.Addr
}

// claim is which MAC an address has. Most addresses keep theirs.
type claim struct {
	mac     packet.MAC // the present holder; zero if none
	gateway bool
	last    int64 // of the present holder
	*move         // nil until the MAC changed in a way that counts
}

// move is how an address got its present MAC, and counts the messages that are reported.
type move struct {
	counter
	before  packet.MAC // the holder before the present one; zero if none
	first   packet.MAC // the holder before the changes that count
	changed int64
	changes []int64 // of the last minute
	unasked int     // replies of the present holder that nobody asked for, since it took the address
	pushed  int64   // last change by such a reply or an announcement
}

// taker is a MAC that has taken addresses with replies that nobody asked for.
type taker struct {
	addrs []packet.Addr // at most two: both sides of a conversation
}

// announcements are those of a MAC within a minute.
type announcements struct {
	from, sec  int64
	n, seconds int
}

func newSpoofing(p SpoofingParams) *spoofing {
	return &spoofing{p: p, claims: newTable[linkAddress, claim](p.MaxAddresses), asked: newTable[question, struct{}](p.MaxAddresses),
		takers: newTable[packet.MAC, taker](p.MaxAddresses), recent: newTable[packet.MAC, announcements](p.MaxAddresses),
		storms: newTable[packet.MAC, counter](p.MaxAddresses)}
}

func (s *spoofing) Rule() Rule { return spoofingRule.Rule }

func (s *spoofing) Kinds() []Kind { return []Kind{LinkFact} }

func (s *spoofing) setParams(p SpoofingParams) {
	s.p = p
	s.claims.limit(p.MaxAddresses)
	s.asked.limit(p.MaxAddresses)
	s.takers.limit(p.MaxAddresses)
	s.recent.limit(p.MaxAddresses)
	s.storms.limit(p.MaxAddresses)
}

func (s *spoofing) parts(*device.Registry) []snapshot.Part {
	address := func(c *snapshot.Codec, k *linkAddress) {
		snapshot.Number(c, &k.vlan)
		addrKey(c, &k.addr)
	}
	mac := func(c *snapshot.Codec, m *packet.MAC) { c.Raw(m[:]) }
	return []snapshot.Part{
		s.claims.part("D38.claims/2", address, func(c *snapshot.Codec, x *claim) {
			mac(c, &x.mac)
			c.Bool(&x.gateway)
			c.Time(&x.last)
			snapshot.Pointer(c, &x.move, func(m *move) {
				m.walk(c)
				mac(c, &m.before)
				mac(c, &m.first)
				c.Time(&m.changed)
				times(c, &m.changes)
				c.Int(&m.unasked)
				c.Time(&m.pushed)
			})
		}),
		s.asked.part("D38.asked/1", func(c *snapshot.Codec, q *question) {
			address(c, &q.of)
			addrKey(c, &q.from)
		}, nothing),
		s.takers.part("D38.takers/1", mac, func(c *snapshot.Codec, t *taker) {
			snapshot.List(c, &t.addrs, 2, func(a *packet.Addr) { addrKey(c, a) })
		}),
		s.recent.part("D38.recent/1", mac, func(c *snapshot.Codec, x *announcements) {
			c.Time(&x.from)
			c.Time(&x.sec)
			c.Int(&x.n)
			c.Int(&x.seconds)
		}),
		s.storms.part("D38.storms/2", mac, walkCounter),
	}
}

func (s *spoofing) evictions() uint64 {
	return s.claims.evicted() + s.asked.evicted() + s.takers.evicted() + s.recent.evicted() + s.storms.evicted()
}

func (s *spoofing) Tick(now int64, c *Context) {
	s.asked.expire(now - int64(s.p.AnswerSeconds)*second)
	s.takers.expire(now - hour)
	s.recent.expire(now - 2*minute)
	s.storms.expire(now - 2*day)
	s.claims.expire(now - max(2*day, int64(s.p.KeptHours)*hour))
}

func (s *spoofing) Observe(e *Event, c *Context) {
	switch m := e.Fact.(type) {
	case *dissect.ARPMessage:
		s.arp(e, c, m)
	case *dissect.NDMessage:
		s.neighbor(e, c, m)
	}
}

// manner is how a message claims an address.
type manner uint8

const (
	inPassing manner = iota // a request names its sender
	asked                   // a reply to a request
	announced               // to everybody
	unasked                 // a reply without a request
)

// assertion is one message that says that an address has a MAC.
type assertion struct {
	of  linkAddress
	ip  netip.Addr
	mac packet.MAC
	how manner
	at  int64
	nd  bool
}

func (s *spoofing) arp(e *Event, c *Context, m *dissect.ARPMessage) {
	if m.Request && !m.Gratuitous {
		s.ask(e.VLAN, m.TargetIP, m.SenderIP, c)
	}
	if m.Gratuitous {
		s.announce(e, c, m.SenderMAC)
	}
	if m.Probe || !m.SenderIP.IsValid() || m.SenderIP.IsUnspecified() {
		return
	}
	a := assertion{of: linkAddress{e.VLAN, packet.AddrOf(m.SenderIP)}, ip: m.SenderIP, mac: m.SenderMAC, at: e.Time}
	switch {
	case m.Gratuitous:
		a.how = announced
	case !m.Request:
		a.how = s.answers(a.of, m.TargetIP, c)
	}
	s.assert(&a, c)
}

// neighbor reads the same from Neighbor Discovery. An advertisement without the override flag replaces no binding: a proxy sends such
// (RFC 4861 section 7.2.8).
func (s *spoofing) neighbor(e *Event, c *Context, m *dissect.NDMessage) {
	a := assertion{ip: m.Src, mac: m.SourceLink, at: e.Time, nd: true}
	switch m.Type {
	case 135:
		s.ask(e.VLAN, m.Target, m.Src, c)
	case 136:
		if !m.Override {
			return
		}
		a.ip, a.mac = m.Target, m.TargetLink
		if a.how = announced; !m.Dst.IsMulticast() {
			a.how = s.answers(linkAddress{e.VLAN, packet.AddrOf(m.Target)}, m.Dst, c)
		}
		if packet.MAC(m.TargetLink).IsZero() {
			a.mac = m.EtherSrc
		}
	}
	if a.mac.IsZero() || !a.ip.IsValid() || a.ip.IsUnspecified() {
		return
	}
	a.of = linkAddress{e.VLAN, packet.AddrOf(a.ip)}
	s.assert(&a, c)
}

func (s *spoofing) ask(vlan uint16, target, from netip.Addr, c *Context) {
	if target.IsValid() && from.IsValid() {
		s.asked.put(question{linkAddress{vlan, packet.AddrOf(target)}, packet.AddrOf(from)}, c.Now)
	}
}

// answers reports whether a reply to a host was asked for by it.
func (s *spoofing) answers(of linkAddress, to netip.Addr, c *Context) manner {
	if to.IsValid() && s.asked.get(question{of, packet.AddrOf(to)}, c.Now) != nil {
		return asked
	}
	return unasked
}

// shared reports whether a MAC is made to move between stations: of a virtual router, or of a Windows cluster (02:bf, 03:bf).
func shared(m packet.MAC) bool {
	return device.VirtualRouter(m) || m[0]|1 == 3 && m[1] == 0xbf
}

// assert compares what a message says with what is known of the address.
func (s *spoofing) assert(a *assertion, c *Context) {
	x := s.claims.put(a.of, c.Now)
	if x.mac != a.mac {
		s.change(x, a, c)
	}
	x.last = max(x.last, a.at)
	if x.move == nil {
		return
	}
	if a.at-x.changed > int64(s.p.KeptHours)*hour { // the new holder has kept it
		x.before, x.first = packet.MAC{}, x.mac
	}
	if x.before.IsZero() {
		return
	}
	if a.how == unasked && a.mac != x.first {
		x.unasked++
	}
	spoofed, disputed := x.unasked >= s.p.Replies, since(x.changes, a.at-minute) >= s.p.Changes
	if a.mac == x.first || !spoofed && !disputed {
		return
	}
	both := false
	if spoofed {
		t := s.takers.put(a.mac, c.Now)
		t.addrs = addDistinct(t.addrs, a.of.addr, 2)
		both = len(t.addrs) > 1
	}
	x.begin(a.at, day)
	c.dispute(a.ip)
	if x.add(a.at) {
		c.Emit(s.finding(a, x, c, spoofed, both))
	}
}

// change gives an address to another MAC. It counts unless the earlier one was not heard for long, or both are of a kind that moves.
func (s *spoofing) change(x *claim, a *assertion, c *Context) {
	x.gateway = x.gateway || s.isGateway(a.ip, x.mac, c)
	if x.mac.IsZero() || shared(a.mac) || a.at-x.last > int64(s.p.KeptHours)*hour {
		if x.mac = a.mac; x.move != nil {
			x.before, x.first, x.unasked, x.changes = packet.MAC{}, a.mac, 0, nil
		}
		return
	}
	if x.move == nil {
		x.move = &move{first: x.mac}
	}
	x.before, x.mac, x.changed, x.unasked = x.mac, a.mac, a.at, 0
	if a.how >= announced {
		x.pushed = a.at
	}
	x.changes = insertTime(x.changes, a.at, minute, max(s.p.Changes, 1))
}

// isGateway reports whether an address is that of a router: it was named as one, it has the MAC of a virtual router, or it is the first or
// last of its network and its MAC forwards for others.
func (s *spoofing) isGateway(ip netip.Addr, mac packet.MAC, c *Context) bool {
	switch c.Devices.Gateway(ip, mac) {
	case device.GatewayNamed:
		return true
	case device.GatewayForwards:
		b := ip.As16()
		return ip.Is4() && (b[15] == 1 || b[15] == 254)
	}
	return device.VirtualRouter(mac)
}

// announce counts the announcements of a MAC. A failover announces all addresses of a node in one burst.
func (s *spoofing) announce(e *Event, c *Context, mac packet.MAC) {
	if shared(mac) {
		return
	}
	x := s.recent.put(mac, c.Now)
	if e.Time-x.from >= minute {
		x.from, x.n, x.seconds, x.sec = e.Time, 0, 0, 0
	}
	x.n++
	if sec := e.Time / second; sec != x.sec {
		x.sec = sec
		x.seconds++
	}
	if x.n < s.p.StormMessages || x.seconds < s.p.StormSeconds {
		return
	}
	n := s.storms.put(mac, c.Now)
	n.begin(e.Time, day)
	if n.add(e.Time) {
		c.Emit(s.stormFinding(e, mac, x, n))
	}
}
