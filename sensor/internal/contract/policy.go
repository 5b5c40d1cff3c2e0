// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Selector selects the devices of a policy: by their key, or as an entry of the inventory does. Exactly one field is set.
type Selector struct {
	Key string
	Match
}

// Selects reports whether the selector is about d. Roles must be probable, as for the inventory.
func (s *Selector) Selects(d *device.Device) bool {
	if d == nil {
		return false
	}
	switch m := &s.Match; {
	case s.Key != "":
		return d.Key == s.Key
	case !m.MAC.IsZero():
		return d.MAC == m.MAC
	case m.IP.IsValid():
		return slices.Contains(d.IPs, m.IP)
	case m.Prefix.IsValid():
		return slices.ContainsFunc(d.IPs, m.Prefix.Contains)
	case m.Vendor != "":
		return strings.Contains(enrich.Squeeze(d.Vendor), enrich.Squeeze(m.Vendor))
	}
	return s.Role != device.Unknown && d.Level >= device.Probable && d.Role == s.Role
}

// exactness orders selectors as the inventory does: key, MAC, address, longest prefix, vendor, role.
func (s *Selector) exactness() int {
	switch m := &s.Match; {
	case s.Key != "":
		return 0
	case !m.MAC.IsZero():
		return 1
	case m.IP.IsValid():
		return 2
	case m.Prefix.IsValid():
		return 200 - m.Prefix.Bits()
	case m.Vendor != "":
		return 300
	}
	return 400
}

// Policy is what an analyst has decided about the contracts of devices: an expectation or an entry.
type Policy struct {
	ID      string
	Created int64
	Device  Selector
	Expect  Expect
	Entry   *PolicyEntry // nil: the policy is about the expectation
}

// PolicyEntry is an entry of a contract that a policy adds.
type PolicyEntry struct {
	PolicyMatch
	Text  string   // as a verdict shows it
	Rules []string // rules that it overrides although they protect critical devices
}

// PolicyMatch selects sessions of a device.
type PolicyMatch struct {
	Direction session.Dir
	Either    bool   // Direction does not matter
	Proto     string // tcp, udp, icmp or any
	Port      uint16 // of the server; 0: any
	App       string // "": any
	Peer      PeerKey
	AnyPeer   bool
	Hours     Hours
}

// policyIndex finds the policies of a device.
type policyIndex struct {
	byKey map[string][]*Policy
	byMAC map[packet.MAC][]*Policy
	byIP  map[netip.Addr][]*Policy
	rest  []*Policy
}

// devicePolicies are the policies about one device.
type devicePolicies struct {
	expect *Policy // nil: none
	allow  []*Policy
}

// SetPolicies replaces the policies of analysts. They come before the command line and the inventory.
func (b *Registry) SetPolicies(all []Policy) {
	b.policies = nil
	if len(all) > 0 {
		b.policies = &policyIndex{byKey: map[string][]*Policy{}, byMAC: map[packet.MAC][]*Policy{}, byIP: map[netip.Addr][]*Policy{}}
		for i := range all {
			b.policies.add(&all[i])
		}
	}
	if b.blank = b.undeclared() && b.policies == nil; b.blank {
		b.matches = nil
	} else {
		b.matches = make([]match, maxMatches)
	}
}

// HasPolicies reports whether there are policies about contracts.
func (b *Registry) HasPolicies() bool { return b.policies != nil }

func (x *policyIndex) add(p *Policy) {
	switch s := &p.Device; {
	case s.Key != "":
		x.byKey[s.Key] = append(x.byKey[s.Key], p)
	case !s.MAC.IsZero():
		x.byMAC[s.MAC] = append(x.byMAC[s.MAC], p)
	case s.IP.IsValid():
		x.byIP[s.IP] = append(x.byIP[s.IP], p)
	default:
		x.rest = append(x.rest, p)
	}
}

// find returns the policies about d, nil if there are none. Of several expectations the most exact one counts, and then the newest.
func (x *policyIndex) find(d *device.Device) *devicePolicies {
	if x == nil {
		return nil
	}
	all := append(slices.Clone(x.byKey[d.Key]), x.byMAC[d.MAC]...)
	for _, a := range d.IPs {
		all = append(all, x.byIP[a]...)
	}
	for _, p := range x.rest {
		if p.Device.Selects(d) {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b *Policy) int {
		return cmp.Or(cmp.Compare(a.Device.exactness(), b.Device.exactness()), cmp.Compare(b.Created, a.Created), strings.Compare(a.ID, b.ID))
	})
	out := &devicePolicies{}
	for _, p := range slices.Compact(all) {
		switch {
		case p.Entry != nil:
			out.allow = append(out.allow, p)
		case out.expect == nil:
			out.expect = p
		}
	}
	return out
}

// policyEntry returns the entry of a policy that allows a session, nil if none.
func (b *Registry) policyEntry(d *device.Device, dir session.Dir, v *session.View, app *fingerprint.App, peerName string, peer *device.Device, now int64) *PolicyEntry {
	m := b.match(d)
	if m.policies == nil {
		return nil
	}
	name := ""
	if app != nil {
		name = app.Name
	}
	for _, p := range m.policies.allow {
		if b.Matches(&p.Entry.PolicyMatch, dir, v, name, peerName, peer, now) {
			return p.Entry
		}
	}
	return nil
}

// Matches reports whether m selects the session v. dir is Out if the device of the policy opened it; peerName and peer are the other end.
func (b *Registry) Matches(m *PolicyMatch, dir session.Dir, v *session.View, app, peerName string, peer *device.Device, now int64) bool {
	if !m.Either && m.Direction != dir || !hasProto(m.Proto, v.Proto) || m.App != "" && m.App != app || !m.Hours.Has(now) {
		return false
	}
	if m.Port != 0 && (!v.HasPorts || v.Responder.Port != m.Port) {
		return false
	}
	far := v.Responder.Addr.Netip()
	if dir == session.In {
		far = v.Initiator.Addr.Netip()
	}
	return b.IsPeer(m, far, peerName, peer)
}

// IsPeer reports whether the peer of a match includes an address with its name and device; these may be unknown.
func (b *Registry) IsPeer(m *PolicyMatch, a netip.Addr, name string, peer *device.Device) bool {
	if m.AnyPeer {
		return true
	}
	a = a.Unmap()
	p := &m.Peer
	switch p.Kind {
	case ByDevice:
		return peer != nil && (peer.Key == p.Text || b.named(peer, p.Text))
	case ByZone:
		return b.inZone(p.Text, a)
	case ByName:
		return nameMatches(p.Text, name)
	case ByDomain:
		return nameMatches("*."+p.Text, name)
	case BySystem:
		n, _ := enrich.ASN(a)
		country, _ := enrich.Country(a)
		return n != 0 && n == p.Number && (p.Text == "" || p.Text == country)
	case ByNetwork:
		return netip.PrefixFrom(p.Addr.Netip(), int(p.Bits)).Contains(a)
	case Anyone:
		return true
	case ByMaker, ByModel:
		return peer != nil && p.claimedBy(peer.MUDURL)
	case Inside:
		return peer != nil || inAny(b.infra.internal, a)
	}
	return peer == nil && !inAny(b.infra.internal, a)
}

// byName reports whether the entry would allow v under the right name of the responder.
func (e *PolicyEntry) byName(v *session.View) bool {
	return !e.AnyPeer && (e.Peer.Kind == ByName || e.Peer.Kind == ByDomain) && e.Direction == session.Out && hasProto(e.Proto, v.Proto) &&
		(e.Port == v.Responder.Port || e.Port == 0 && v.Responder.Port == 443)
}

// Critical reports whether the inventory says that a device is critical.
func (b *Registry) Critical(d *device.Device) bool {
	e := b.Entry(d)
	return e != nil && e.Criticality == "critical"
}

// Protects reports whether a rule reports about critical devices even if a policy says otherwise, unless the policy names the rule: a login
// (D08, only from outside), a scan of the Mirai family, logins to many cameras, cameras set by datagrams, a chain.
func Protects(rule string) bool {
	switch rule {
	case "D08", "D14", "D28", "D30", "D42":
		return true
	}
	return false
}

// Exempts reports whether an entry of the contract expects the session, so that a rule does not report it. critical is true if one of the ends
// is a critical device, for which an entry of a policy does not count unless it names the rule; see Protects.
func (v *Verdict) Exempts(rule string, critical bool) bool {
	return v.Entry != "" && (v.policy == nil || !critical || !Protects(rule) || slices.Contains(v.policy.Rules, rule))
}

// ArmBy arms the learned contracts that a selector is about, or freezes them, on behalf of an analyst. Contracts that have nothing yet are left to
// learn. find returns the device of a key; it may be nil.
func (l *Learner) ArmBy(s *Selector, freeze bool, find func(key string) *device.Device, now int64) {
	if l == nil {
		return
	}
	for key, c := range l.devices { // each by itself: the order does not matter
		ready := c.State == Review || c.State == Learning && !c.Empty() || c.State == Armed && (freeze || !c.ByAnalyst)
		if ready && (s.Key == key || s.Selects(find(key))) {
			_ = l.Arm(key, freeze, now) // it exists and has entries
		}
	}
}

// ForgetBy starts the learned contracts again that a selector is about. With a match it deletes only the entries that the match names.
func (l *Learner) ForgetBy(s *Selector, m *PolicyMatch, find func(key string) *device.Device, now int64) {
	if l == nil {
		return
	}
	for key, c := range l.devices { // each by itself: the order does not matter
		switch {
		case s.Key != key && !s.Selects(find(key)):
		case m == nil:
			_ = l.Forget(key, now) // it exists
		default:
			l.drop(c, func(e *LearnedEntry) bool { return m.names(&e.Key) })
			l.touch(c)
		}
	}
}

// names reports whether the match names an entry: each of its fields is that of the entry, or empty.
func (m *PolicyMatch) names(k *Key) bool {
	return (m.Either || m.Direction == k.Dir) && hasProto(m.Proto, k.Proto) && (m.Port == 0 || m.Port == k.Port) && (m.App == "" || m.App == k.App) &&
		(m.AnyPeer || m.Peer == k.Peer)
}
