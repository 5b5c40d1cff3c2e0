// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Protocol numbers of IANA.
const (
	protoIPv4 = 4
	protoIPv6 = 41
	protoGRE  = 47
)

// carrier returns protocol and port of the packets that carry a tunnel; the protocol is 0 for tunnels below IP.
func carrier(t packet.TunnelType, v6 bool) (proto uint8, port uint16) {
	switch t {
	case packet.TunnelGRE, packet.TunnelERSPAN:
		return protoGRE, 0
	case packet.TunnelIPIP:
		if v6 {
			return protoIPv6, 0
		}
		return protoIPv4, 0
	case packet.TunnelVXLAN:
		return protoUDP, 4789
	case packet.TunnelGeneve:
		return protoUDP, 6081
	case packet.TunnelGTPU:
		return protoUDP, 2152
	case packet.TunnelTeredo:
		return protoUDP, 3544
	case packet.TunnelTZSP:
		return protoUDP, 37008
	}
	return 0, 0
}

// carried reports a session inside a tunnel between a device and an external host. The sensor reads the packets inside a tunnel, because
// mirrors use tunnels, so nobody else sees the session that carries them. Mirrors send to hosts inside.
func (t *tunnel) carried(e *Event, c *Context) {
	v := e.Session
	x := &v.Tunnels[0]
	proto, port := carrier(x.Type, v.V6)
	if proto == 0 || !x.HasOuter {
		return
	}
	outer := session.View{ID: v.ID, Start: v.Start, End: v.End, Proto: proto, HasPorts: port != 0, V6: x.V6, Basis: session.BasisFirstPacket, State: v.State,
		Initiator: session.Endpoint{Addr: x.Src}, Responder: session.Endpoint{Addr: x.Dst, Port: port}}
	if e.Kind == SessionState { // anybody may send packets to the device: an answer shows that it takes part
		if v.State != session.Established {
			return
		}
		outer.Initiator.Addr, outer.Responder.Addr = x.Dst, x.Src
	}
	d := c.Devices.ByIP(addr(&outer.Initiator, outer.V6))
	if d == nil || d.Router || !c.external(nil, addr(&outer.Responder, outer.V6)) {
		return
	}
	expect, source := c.Contracts.Expect(d, c.Now)
	sev := High
	if !strict(expect, source) {
		if sev = Medium; !isAppliance(d) || d.Role == device.NetworkGear {
			return
		}
	}
	verdict := c.Contracts.Check(d, session.Out, &outer, nil, "", nil, c.Now)
	if verdict.Entry != "" {
		return
	}
	n := t.proxies.put(proxyUse{d.ID, outer.Responder.Addr, port}, c.Now)
	n.begin(c.Now, day)
	if n.add(v.Start) {
		o := Event{Kind: e.Kind, Time: e.Time, Session: &outer, Initiator: d}
		c.Emit(t.carriedFinding(&o, c, v, verdict, n, sev))
	}
}

// carriedFinding is about the session o that carries, and shows the session v that is carried.
func (t *tunnel) carriedFinding(o *Event, c *Context, v *session.View, verdict contract.Verdict, n *counter, sev Severity) *Finding {
	f := c.sessionFinding(t.Rule(), o, session.Out)
	expect, source := c.Contracts.Expect(o.Initiator, c.Now)
	name := v.Tunnels[0].Type.String()
	f.Key = "tunnel " + serviceKey(addr(&o.Session.Responder, o.Session.V6), o.Session)
	kept := *v
	f.Session, f.Related = &kept, []string{session.CommunityID(v)}
	f.Stage, f.Severity, f.Maintenance = StageOutbound, sev, verdict.Maintenance
	f.Start, f.Total, f.Count = n.first, n.count, n.take()
	if !verdict.Allowed {
		f.Broken = Clean(verdict.Broken, 300)
	}
	who, to, sessions := f.self(), f.Peer.at(), Plural(n.count, "session", "sessions")
	f.Brief = "has a tunnel with " + to.brief()
	f.Title = headline("%s has a tunnel ("+name+") with %s", who, to)
	f.Message = fmt.Sprintf("Expected: %s %s. Seen: since %s %s inside a tunnel (%s) between it and %s, the last from %s to %s.",
		who.full, expectation(expect, source), clock(n.first), sessions, name, f.other().full, addr(&v.Initiator, v.V6), addr(&v.Responder, v.V6))
	f.Reasons = []Reason{{Code: "tunnel", Text: "the addresses of the sessions inside do not show that they leave the network here", Weight: 0.5}}
	if strict(expect, source) {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + expect.String(), Text: "expected: the device " + expectation(expect, source), Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("the device is an end point of a tunnel between sites; then add it to the inventory"))
	f.Evidence = []Evidence{{Kind: "tunnel", Summary: sessions + " inside", Data: map[string]any{"protocol": name, "sessions": n.count}}}
	f.Recommendation = tunnelRule.advise("carried", f.Device)
	return f
}
