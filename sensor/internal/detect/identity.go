// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(identityRule)

// identityRule registers D36.
var identityRule = register(registration{
	Rule: Rule{
		ID: "D36", Name: "Address used by another device", Kind: "identity_change", Version: 1, Reliability: 0.6,
		Attack: join(enterprise(taEvasion, "T1036"), enterprise(taInitialAccess, "T1200"), ics(icsInitialAccess, "T0848")),
	},
	titleOrder: 4,
	advice: map[string]steps{
		"": {
			"Find the switch ports of both MAC addresses, and look at what is connected there.",
			"Look for logins from the address since the change, and change the passwords that were used.",
			"If nobody replaced the hardware, shut the port of the new MAC address. If somebody did, close the alert.",
		},
		"class": {
			"Find the switch port of the MAC address, and look at what is connected there.",
			"If it is not the device that belongs there, shut the port, and look for logins and sessions from its address since the change.",
			"Change the passwords that the device and its recorder use.",
		},
	},
}, DefaultIdentityParams, newIdentity)

// IdentityParams are the parameters of D36.
type IdentityParams struct {
	AlternateSeconds int `yaml:"alternate_seconds"` // two MACs that use one address within so many seconds of each other do so in turns
	SettledHours     int `yaml:"settled_hours"`     // hours after which a MAC that alone uses the address has it
	KeptDays         int `yaml:"kept_days"`         // days for which the MAC of an address is kept
	KnownMinutes     int `yaml:"known_minutes"`     // what a camera or appliance does so many minutes after it was known as one is not its usual behavior
	MaxAddresses     int `yaml:"max_addresses"`     // addresses kept with the MAC that has them
}

// DefaultIdentityParams returns the defaults of D36.
func DefaultIdentityParams() IdentityParams {
	return IdentityParams{AlternateSeconds: 300, SettledHours: 24, KeptDays: 30, KnownMinutes: 60, MaxAddresses: 50_000}
}

// identity is D36: sessions from the address of a known host come from another MAC. An address that the inventory names, or from which
// somebody has logged in, counts at once; any other only if two MACs use it in turns. D38 reports claims in ARP, so an address about
// which it has reported is left out.
type identity struct {
	p      IdentityParams
	owners *table[linkAddress, owner]

	natures *table[uint32, nature] // of cameras and other appliances, by device
}

// owner is the MAC that has an address, and the last other one that used it.
type owner struct {
	counter                // sessions of the other MAC
	mac, other  packet.MAC // other is zero if there is none
	seen, from  int64      // of mac: last session or ARP message; of other: when it came first
	otherSeen   int64
	ttl         uint8 // of mac; 0 if only ARP was seen
	relied      bool  // the inventory names the address or its device, or a login from it was accepted
	alternating bool  // both were seen within AlternateSeconds, in turns
	reported    bool
}

func newIdentity(p IdentityParams) *identity {
	return &identity{p: p, owners: newTable[linkAddress, owner](p.MaxAddresses), natures: newTable[uint32, nature](p.MaxAddresses)}
}

func (i *identity) Rule() Rule { return identityRule.Rule }

func (i *identity) Kinds() []Kind { return []Kind{SessionOpened, SessionState, SessionFact, LinkFact} }

func (i *identity) setParams(p IdentityParams) {
	i.p = p
	i.owners.limit(p.MaxAddresses)
	i.natures.limit(p.MaxAddresses)
}

func (i *identity) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{i.owners.part("D36.owners/1", func(c *snapshot.Codec, k *linkAddress) {
		snapshot.Number(c, &k.vlan)
		addrKey(c, &k.addr)
	}, func(c *snapshot.Codec, o *owner) {
		o.counter.walk(c)
		c.Raw(o.mac[:])
		c.Raw(o.other[:])
		c.Time(&o.seen)
		c.Time(&o.from)
		c.Time(&o.otherSeen)
		snapshot.Number(c, &o.ttl)
		c.Bool(&o.relied)
		c.Bool(&o.alternating)
		c.Bool(&o.reported)
	}), i.natures.part("D36.natures/1", deviceKey, func(c *snapshot.Codec, n *nature) { n.walk(c) })}
}

func (i *identity) evictions() uint64 { return i.owners.evicted() + i.natures.evicted() }

func (i *identity) Tick(now int64, c *Context) {
	i.owners.expire(now - int64(i.p.KeptDays)*day)
	i.natures.expire(now - int64(i.p.KeptDays)*day)
}

func (i *identity) Observe(e *Event, c *Context) {
	switch e.Kind {
	case LinkFact:
		i.learn(e, c)
	case SessionOpened:
		i.check(e, c, session.Out)
	case SessionState:
		if e.Session.State == session.Established {
			i.check(e, c, session.In)
		}
	case SessionFact:
		i.noteLogin(e, c)
	}
	if e.Session != nil {
		i.classify(e, c)
	}
}

// learn notes the MAC of an address that ARP shows first. Whether ARP messages contradict each other is up to D38.
func (i *identity) learn(e *Event, c *Context) {
	m, ok := e.Fact.(*dissect.ARPMessage)
	if !ok || m.Probe || !m.Request && !m.Gratuitous || !m.SenderIP.IsValid() || m.SenderIP.IsUnspecified() || !i.station(m.SenderIP, m.SenderMAC, c) {
		return // a proxy answers for others, but asks for itself
	}
	k := linkAddress{e.VLAN, packet.AddrOf(m.SenderIP)}
	switch o := i.owners.put(k, c.Now); {
	case o.mac.IsZero():
		*o = owner{mac: m.SenderMAC, seen: e.Time, relied: c.relied(m.SenderIP, e.Initiator, m.SenderMAC)}
	case o.mac == m.SenderMAC:
		o.seen = max(o.seen, e.Time)
	}
}

// noteLogin marks an address from which a login was accepted.
func (i *identity) noteLogin(e *Event, c *Context) {
	if l, ok := loginOf(e.Fact); !ok || l.result != dissect.OutcomeSuccess || e.Initiator == nil {
		return
	}
	v := e.Session
	if o := i.owners.get(keyOf(v, &v.Initiator), c.Now); o != nil && o.mac == v.Initiator.MAC {
		o.relied = true
	}
}

// relied reports whether others rely on an address: the inventory names it or the device that has it, or DHCP gives it out as a router.
func (c *Context) relied(a netip.Addr, d *device.Device, m packet.MAC) bool {
	return c.Contracts.NamesHost(a) || c.Contracts.NamesDevice(d) || c.Devices.Gateway(a, m) == device.GatewayNamed
}

// keyOf returns the address of one end of a session on its VLAN.
func keyOf(v *session.View, x *session.Endpoint) linkAddress {
	k := linkAddress{addr: x.Addr}
	if v.NumVLANs > 0 {
		k.vlan = v.VLANs[0]
	}
	return k
}

// station reports whether a MAC can be that of the host itself: it is no router, no proxy for others and no MAC that moves.
func (i *identity) station(a netip.Addr, m packet.MAC, c *Context) bool {
	return !m.IsZero() && !m.IsGroup() && !shared(m) && c.Devices.Internal(a) && c.Devices.Station(m)
}

// check compares the MAC of one end of a session with that of its address.
func (i *identity) check(e *Event, c *Context, dir session.Dir) {
	v := e.Session
	x, d := &v.Initiator, e.Initiator
	if dir == session.In {
		x, d = &v.Responder, e.Responder
	}
	if d == nil || !device.DirectTTL(x.TTL) && x.TTL != 0 || len(v.Tunnels) > 0 || dir == session.In && !unicast(v) {
		return
	}
	k := keyOf(v, x)
	o := i.owners.get(k, c.Now)
	if o != nil && o.mac == x.MAC {
		if !o.other.IsZero() && c.Now-o.otherSeen < int64(i.p.AlternateSeconds)*second {
			o.alternating = true
		}
		o.seen, o.ttl = c.Now, x.TTL
		return
	}
	a := addr(x, v.V6)
	if !i.station(a, x.MAC, c) {
		return
	}
	if o == nil {
		*i.owners.put(k, c.Now) = owner{mac: x.MAC, seen: c.Now, ttl: x.TTL, relied: c.relied(a, d, x.MAC)}
		return
	}
	i.other(e, c, dir, o, x)
}

// other records a session of an address that comes from another MAC than the one that has it.
func (i *identity) other(e *Event, c *Context, dir session.Dir, o *owner, x *session.Endpoint) {
	a := addr(x, e.Session.V6)
	if o.other != x.MAC {
		*o = owner{mac: o.mac, other: x.MAC, seen: o.seen, from: c.Now, ttl: o.ttl, relied: o.relied}
	}
	o.otherSeen = c.Now
	relied := o.relied || c.Contracts.NamesHost(a)
	idle := c.Now - o.seen
	switch {
	case o.reported && idle < int64(i.p.SettledHours)*hour:
	case o.reported, !relied && idle >= hour, sameHardware(o.mac, x.MAC) && !o.alternating, c.Devices.Leased(a, x.MAC):
		*o = owner{mac: x.MAC, seen: c.Now, ttl: x.TTL, relied: o.relied} // it has the address now
		return
	case !relied && !o.alternating, c.disputed(a):
		return
	}
	o.begin(c.Now, day)
	if o.add(e.Session.Start) {
		o.reported = true
		c.Emit(i.finding(e, c, dir, o, x, relied))
	}
}

// sameHardware reports whether two MACs are likely those of one device or cluster: neighbors in one block, as the ports of a server have
// them, or those of the hosts of a Windows cluster (02:xx and the same rest).
func sameHardware(a, b packet.MAC) bool {
	if a[0] == 2 && b[0] == 2 && [4]byte(a[2:]) == [4]byte(b[2:]) {
		return true
	}
	number := func(m packet.MAC) int { return int(m[3])<<16 | int(m[4])<<8 | int(m[5]) }
	diff := number(a) - number(b)
	return [3]byte(a[:3]) == [3]byte(b[:3]) && diff >= -8 && diff <= 8
}

func (i *identity) finding(e *Event, c *Context, dir session.Dir, o *owner, x *session.Endpoint, relied bool) *Finding {
	f := c.sessionFinding(i.Rule(), e, dir)
	a := f.DeviceAddr.String()
	f.Key, f.Stage, f.Severity = "address "+a+" "+x.MAC.String(), StageLogin, Low
	switch {
	case relied && o.alternating:
		f.Severity = High
	case relied:
		f.Severity = Medium
	}
	f.Start, f.Total, f.Count = o.first, o.count, o.take()
	for _, m := range [...]packet.MAC{x.MAC, o.mac} {
		f.Entities = addDistinct(f.Entities, "mac:"+m.String(), maxListed)
	}
	who, sessions := f.self(), Plural(o.count, "session", "sessions")
	f.Brief = "is used by another MAC"
	f.Title = headline("The address of %s is used by another device, %s", who, name{x.MAC.String(), x.MAC.String()})
	f.Message = fmt.Sprintf("Expected: %s is used by %s, last seen at %s. Seen: since %s %s with this address from %s, the last with %s.",
		a, o.mac, clock(o.seen), clock(o.first), sessions, x.MAC, f.other().full)
	f.Reasons = []Reason{{Code: "other_mac", Text: "the address was used by another MAC before", Weight: 0.3}}
	if relied {
		f.Reasons = append(f.Reasons, Reason{Code: "relied_on", Text: "the inventory names the address, or somebody logs in from it", Weight: 0.3})
	}
	if o.alternating {
		f.Reasons = append(f.Reasons, Reason{Code: "in_turns", Text: "both use the address in turns, so no hardware was replaced", Weight: 0.3})
	}
	if o.ttl != 0 && x.TTL != 0 && o.ttl != x.TTL {
		f.Reasons = append(f.Reasons, Reason{Code: "other_ttl", Text: fmt.Sprintf("its packets begin with TTL %d instead of %d: another operating system", x.TTL, o.ttl), Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("the device or its network card was replaced"))
	f.Evidence = []Evidence{{Kind: "identity", Summary: a + " at " + x.MAC.String() + ", earlier at " + o.mac.String(),
		Data: map[string]any{"address": a, "mac": x.MAC.String(), "earlier_mac": o.mac.String(), "sessions": o.count}}}
	f.Recommendation = identityRule.advise("", f.Device)
	return f
}
