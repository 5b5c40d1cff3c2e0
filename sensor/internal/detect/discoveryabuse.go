// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(discoveryAbuseRule)

// discoveryAbuseRule registers D30.
var discoveryAbuseRule = register(registration{
	Rule: Rule{
		ID: "D30", Name: "Camera set by discovery protocol", Kind: "discovery_abuse", Version: 1, Reliability: 0.98,
		Attack: join(enterprise(taPersistence, "T1098"), enterprise(taImpact, "T1531"), ics(icsInhibit, "T0892"), ics(icsLateral, "T0812")),
	},
	titleOrder: 4,
	advice: map[string]steps{
		"": {
			"Ask whether an installer is at work with the vendor's configuration tool.",
			"If not: find out what runs on the sender, and compare password, address and gateway of the cameras with what they should be.",
			"Keep cameras in a network of their own, in which only recorders and administrators can send to the discovery ports.",
		},
	},
}, DefaultDiscoveryAbuseParams, newDiscoveryAbuse)

// DiscoveryAbuseParams are the parameters of D30.
type DiscoveryAbuseParams struct {
	MaxSenders int `yaml:"max_senders"` // hosts kept
}

// DefaultDiscoveryAbuseParams returns the defaults of D30.
func DefaultDiscoveryAbuseParams() DiscoveryAbuseParams {
	return DiscoveryAbuseParams{MaxSenders: 10_000}
}

// discoveryAbuse is D30: somebody changes cameras with the datagrams of a discovery protocol, which set passwords and addresses without a
// session.
type discoveryAbuse struct {
	p       DiscoveryAbuseParams
	senders *table[caller, cameraActions]
}

func newDiscoveryAbuse(p DiscoveryAbuseParams) *discoveryAbuse {
	return &discoveryAbuse{p: p, senders: newTable[caller, cameraActions](p.MaxSenders)}
}

func (o *discoveryAbuse) Rule() Rule { return discoveryAbuseRule.Rule }

func (o *discoveryAbuse) Kinds() []Kind { return []Kind{SessionFact, LinkFact} }

func (o *discoveryAbuse) setParams(p DiscoveryAbuseParams) {
	o.p = p
	o.senders.limit(p.MaxSenders)
}

func (o *discoveryAbuse) parts(r *device.Registry) []snapshot.Part {
	return []snapshot.Part{o.senders.part("D30.senders/1", func(c *snapshot.Codec, k *caller) { k.walk(c) },
		func(c *snapshot.Codec, x *cameraActions) { x.walk(c, r) })}
}

func (o *discoveryAbuse) evictions() uint64 { return o.senders.evicted() }

func (o *discoveryAbuse) Tick(now int64, c *Context) { o.senders.expire(now - 2*day) }

func (o *discoveryAbuse) Observe(e *Event, c *Context) {
	a, ok := e.Fact.(*dissect.DeviceAction)
	if m, link := e.Fact.(*dissect.LinkAction); link {
		a, e = &m.DeviceAction, inFrame(e, m, c)
	} else if !ok || e.Session.Proto != protoUDP {
		return
	}
	if classOf(a.Kind) < 0 || e.Initiator == nil && e.Responder == nil {
		return
	}
	routed := e.Initiator == nil
	if admin, _ := c.Contracts.AdminHost(addr(&e.Session.Initiator, e.Session.V6)); admin && !routed {
		return
	}
	x := o.senders.put(actorOf(e), c.Now)
	if x.note(e, c.Now, a.Protocol+" "+a.Action) {
		c.Emit(o.finding(e, c, x, a, routed))
	}
}

// inFrame returns e as if the sender of a frame without IP asked its receiver in a session. Their addresses are those that they are known by.
func inFrame(e *Event, m *dissect.LinkAction, c *Context) *Event {
	x := *e
	x.Responder = c.Devices.ByMAC(m.EtherDst)
	end := func(mac packet.MAC, a netip.Addr, d *device.Device) session.Endpoint {
		if d != nil && d.IP().IsValid() {
			a = d.IP()
		}
		return session.Endpoint{Addr: packet.AddrOf(a), MAC: mac}
	}
	x.Session = &session.View{Start: e.Time, End: e.Time, Group: packet.MAC(m.EtherDst).IsGroup(),
		Initiator: end(m.EtherSrc, m.Src, e.Initiator), Responder: end(m.EtherDst, m.Dst, x.Responder)}
	return &x
}

func (o *discoveryAbuse) finding(e *Event, c *Context, x *cameraActions, a *dissect.DeviceAction, routed bool) *Finding {
	f := c.actorFinding(o.Rule(), e, x)
	f.Severity, f.Key = Critical, "discovery"
	if e.Kind == LinkFact { // no session
		f.Session, f.Related = nil, nil
	}
	if routed {
		f.Key += " " + f.Peer.IP
	}
	actor, protocol := f.actorName(e), name{a.Protocol, a.Protocol}
	f.Brief = "changes cameras by " + a.Protocol
	f.Title = headline("%s changes cameras by %s: "+Clean(a.Action, 30), actor, protocol)
	f.Message = fmt.Sprintf("Expected: hosts only search for cameras by %s. Seen: since %s %s sent %s to %s: %s.",
		a.Protocol, clock(x.first), actor.full, Plural(x.count, "request that changes cameras", "requests that change cameras"), listing(x.peers, 8), listing(x.done, 5))
	f.Reasons = []Reason{{Code: "discovery_changes", Text: "the request sets a password, an address or the like, where others only search", Weight: 0.6}}
	if routed {
		f.Reasons = append(f.Reasons, Reason{Code: "routed", Text: "the request comes from another network, where discovery has no use", Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("an installer sets up cameras; list that host as an admin host, or declare a maintenance window"))
	f.Evidence = []Evidence{{Kind: "camera_actions", Summary: listing(x.done, 8), Data: map[string]any{
		"protocol": a.Protocol, "requests": x.count, "actions": slices.Clone(x.done)}}}
	f.Recommendation = discoveryAbuseRule.advise("", f.Device)
	return f
}
