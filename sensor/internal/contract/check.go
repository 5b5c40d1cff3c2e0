// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/session"
)

// Verdict is the result of checking one session.
type Verdict struct {
	Allowed        bool   // by infrastructure, by an entry, or because nothing is expected of the device
	Infrastructure bool   // DNS, NTP, DHCP, discovery
	Entry          string // which entry allowed it
	Broken         string // which expectation was broken, in words; "" if Allowed
	Maintenance    bool   // it happened in a maintenance window of the device

	policy *PolicyEntry // that allowed it
}

// Check reports whether d may have the session v. dir is Out if d opened it and In if d answers. app may be nil, peerName is "" if the
// other end has no known name, and peer is nil if it is no device.
//
// A device that answers breaks no expectation, so In is always allowed. Entry names the entry of the inventory or of a policy that expects
// the peer, if any.
func (b *Registry) Check(d *device.Device, dir session.Dir, v *session.View, app *fingerprint.App, peerName string, peer *device.Device, now int64) Verdict {
	out := Verdict{Maintenance: b.Maintenance(d, now)}
	out.Infrastructure = b.infra.allows(v, app, peerName)
	if rule := b.rule(d, dir, v, peerName, peer); rule != nil {
		out.Allowed, out.Entry = true, rule.Text
		return out
	}
	if e := b.policyEntry(d, dir, v, app, peerName, peer, now); e != nil {
		out.Allowed, out.Entry, out.policy = true, e.Text, e
		return out
	}
	if d == nil || dir == session.In || out.Infrastructure || !v.Opened() || !b.appliesTo(d, v) {
		out.Allowed = true
		return out
	}
	expect, source := b.Expect(d, now)
	if out.Allowed = expect == Normal; out.Allowed {
		return out
	}
	r, e := b.evaluate(d, v, app, peerName, peer, now)
	switch {
	case e == nil:
		out.Broken = broken(expect, source)
	case r == Refuses, r == Allows && e.declared():
		out.Allowed, out.Entry = true, e.String()
	case r == Allows && source != FromInventory && source != FromPolicy: // what was declared comes before what was learned
		out.Allowed = true
	default:
		out.Broken = broken(expect, source) + "; nearest: " + e.String()
	}
	return out
}

// evaluate compares a session that d opened with its learned contract.
func (b *Registry) evaluate(d *device.Device, v *session.View, app *fingerprint.App, peerName string, peer *device.Device, now int64) (Result, *LearnedEntry) {
	c := b.cfg.Learner.Of(d)
	if !c.decides() {
		return Unknown, nil
	}
	name := ""
	if app != nil {
		name = app.Name
	}
	x := b.ContactOf(session.Out, v, name, peerName, peer)
	return c.Evaluate(&x, now)
}

// appliesTo reports whether the expectation applies to the address that opened v. An expectation about addresses does not apply to the
// other addresses of the device.
func (b *Registry) appliesTo(d *device.Device, v *session.View) bool {
	m := b.match(d)
	if !m.silent || m.entry != nil || m.policies != nil && m.policies.expect != nil || slices.Contains(b.cfg.SilentMACs, d.MAC) {
		return true
	}
	return b.silent.Contains(v.Initiator.Addr.Netip())
}

func broken(e Expect, source string) string {
	why := map[string]string{FromPolicy: "by a policy", FromInventory: "declared", FromIdle: "idle for days", FromLearned: "learned"}[source]
	switch e {
	case Silent:
		return fmt.Sprintf("silent (%s): opens nothing but infrastructure", why)
	case ServerOnly:
		return fmt.Sprintf("server_only (%s): answers, opens nothing but infrastructure", why)
	}
	return fmt.Sprintf("allowlist (%s): no entry allows this", why)
}

// rule returns the inventory rule that allows a session, nil if none.
func (b *Registry) rule(d *device.Device, dir session.Dir, v *session.View, peerName string, peer *device.Device) *Rule {
	e := b.Entry(d)
	if e == nil {
		return nil
	}
	for i := range e.Allow {
		if b.allows(&e.Allow[i], dir, v, peerName, peer) {
			return &e.Allow[i]
		}
	}
	return nil
}

// AllowsByName reports whether an entry would allow d to open v under the right name of the responder. The port must be listed,
// because an entry for all ports does not name a protocol.
func (b *Registry) AllowsByName(d *device.Device, v *session.View) bool {
	if c := b.cfg.Learner.Of(d); c.decides() && c.byName(v) {
		return true
	}
	m := b.match(d)
	if m.policies != nil && slices.ContainsFunc(m.policies.allow, func(p *Policy) bool { return p.Entry.byName(v) }) {
		return true
	}
	e := m.entry
	if e == nil {
		return false
	}
	return slices.ContainsFunc(e.Allow, func(r Rule) bool {
		return r.Peer.Name != "" && r.Direction == session.Out && r.hasProto(v.Proto) && r.hasPort(v) && (len(r.Ports) > 0 || v.Responder.Port == 443)
	})
}

// Approved reports whether an entry of the inventory expects this peer to open v towards d.
func (b *Registry) Approved(d *device.Device, v *session.View, peer *device.Device) bool {
	return b.rule(d, session.In, v, "", peer) != nil
}

func (b *Registry) allows(r *Rule, dir session.Dir, v *session.View, peerName string, peer *device.Device) bool {
	if r.Direction != dir || !r.hasProto(v.Proto) || !r.hasPort(v) {
		return false
	}
	far := v.Responder.Addr.Netip()
	if dir == session.In {
		far = v.Initiator.Addr.Netip()
	}
	p := &r.Peer
	switch {
	case p.Prefix.IsValid():
		return p.Prefix.Contains(far)
	case p.Zone != "":
		return b.inZone(p.Zone, far)
	case p.Device != "":
		return peer != nil && (peer.Key == p.Device || b.named(peer, p.Device))
	case p.Name != "":
		return nameMatches(p.Name, peerName)
	}
	return true
}

func (b *Registry) named(d *device.Device, name string) bool {
	e := b.Entry(d)
	return e != nil && e.Name == name
}

func (b *Registry) inZone(name string, a netip.Addr) bool {
	for _, z := range b.inv.Zones {
		if z.Name == name {
			return inAny(z.Networks, a)
		}
	}
	return false
}

func (r *Rule) hasProto(proto uint8) bool { return hasProto(r.Proto, proto) }

func hasProto(name string, proto uint8) bool {
	switch name {
	case "tcp":
		return proto == 6
	case "udp":
		return proto == 17
	case "icmp":
		return proto == 1 || proto == 58
	}
	return true
}

func (r *Rule) hasPort(v *session.View) bool {
	if len(r.Ports) == 0 {
		return true
	}
	for _, p := range r.Ports {
		if v.HasPorts && v.Responder.Port >= p[0] && v.Responder.Port <= p[1] {
			return true
		}
	}
	return false
}

// nameMatches compares a DNS name with a pattern; "*.example.com" means every name below example.com.
func nameMatches(pattern, name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	pattern = strings.ToLower(pattern)
	if rest, ok := strings.CutPrefix(pattern, "*."); ok {
		return strings.HasSuffix(name, "."+rest)
	}
	return name != "" && name == pattern
}

func hasHost(hosts []Host, a netip.Addr, name string) bool {
	for _, h := range hosts {
		if h.Prefix.IsValid() && h.Prefix.Contains(a) || h.Name != "" && nameMatches(h.Name, name) {
			return true
		}
	}
	return false
}
