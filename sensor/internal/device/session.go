// SPDX-License-Identifier: Apache-2.0

package device

import (
	"net/netip"
	"slices"

	"stillwatch/sensor/internal/device/evidence"
	"stillwatch/sensor/internal/fingerprint"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

const (
	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoICMP6 = 58
)

// Session returns the devices at the two endpoints of a session and records what the step says about them. A device is nil if the address
// is external, a group, or internal but has never sent anything; Internal tells which. v must not be nil; app may be.
func (r *Registry) Session(step Step, v *session.View, app *fingerprint.App, now int64) (initiator, responder *Device) {
	r.begin()
	r.learnGroup(v)
	if r.vlan = 0; v.NumVLANs > 0 {
		r.vlan = v.VLANs[0]
	}
	initiator = r.endpoint(&v.Initiator, &v.Responder, asks(v), now)
	responder = r.endpoint(&v.Responder, &v.Initiator, v.Packets[session.In] > 0, now)
	if v.Initiator.MAC == v.Responder.MAC && !v.Initiator.MAC.IsZero() {
		r.between(v, now)
		initiator, responder = r.again(&v.Initiator, initiator), r.again(&v.Responder, responder)
	}
	r.settle(initiator)
	r.settle(responder)
	if v.Proto == protoUDP {
		r.datagrams(step, v, initiator, now)
	}
	if initiator != nil && asks(v) {
		r.touch(initiator, step == Opened && v.Start > initiator.FirstSeen)
		r.asked(initiator, step, v, app, now)
	}
	if responder != nil && v.Packets[session.In] > 0 {
		r.touch(responder, step == Opened && v.Start > responder.FirstSeen)
		r.answered(responder, step, v, app, now)
	}
	if initiator != nil && initiator.parts > 0 || responder != nil && responder.parts > 0 {
		return r.apart(step, v, app, initiator, responder, now)
	}
	return initiator, responder
}

// asks reports whether the initiator has sent something, or must have: one direction of the session was captured only.
func asks(v *session.View) bool { return v.Packets[session.Out] > 0 || v.OneDirection }

// again returns the device at an endpoint after identities may have changed.
func (r *Registry) again(e *session.Endpoint, d *Device) *Device {
	if b := r.binding(e.Addr); d != nil && b != nil {
		return b.dev
	}
	return d
}

// asked records what a step says about the initiator, which has sent something.
func (r *Registry) asked(d *Device, step Step, v *session.View, app *fingerprint.App, now int64) {
	d.heard(step, v, now)
	d.tcp(&v.Initiator, v, true)
	// A session to a group is opened when a host answers.
	if step == Opened && r.Opening(v) == Opens || step == StateChanged && v.Group && v.State == session.Established {
		r.originate(d, v, now)
	}
	if step == Ended {
		d.count(v, session.Out)
	}
	r.uses(d, step, v, app, now)
	r.streams(d, step, v, app, session.Out, now)
}

// answered records what a step says about the responder, which has sent something.
func (r *Registry) answered(d *Device, step Step, v *session.View, app *fingerprint.App, now int64) {
	d.heard(step, v, now)
	d.tcp(&v.Responder, v, false)
	r.streams(d, step, v, app, session.In, now)
	if step == Ended {
		d.count(v, session.In)
	}
	if step != Opened && step != Progress {
		r.serve(d, v, app)
		r.serveThing(d, v, app)
	}
}

// heard records that a device was seen in a session.
func (d *Device) heard(step Step, v *session.View, now int64) {
	if t := max(v.End, v.Start); t > d.LastSeen {
		d.LastSeen, d.lastFrame = t, frameIn(v)
	}
	if day := int32(now / dayNs); day > d.lastDay {
		d.lastDay, d.clients = day, 0
		d.ObservedDays++
	}
	if step == Opened {
		d.addVLANs(v.VLANs[:v.NumVLANs])
	}
}

func (d *Device) addVLANs(ids []uint16) {
	for _, id := range ids {
		if len(d.VLANs) < MaxVLANs && !slices.Contains(d.VLANs, id) {
			d.VLANs = append(d.VLANs, id)
			slices.Sort(d.VLANs)
			d.Version++
		}
	}
}

// originate records that a device opened a session.
func (r *Registry) originate(d *Device, v *session.View, now int64) {
	if !v.Opened() || v.ToGroup() || Infrastructure(v) {
		return
	}
	if d.FirstOrigination == 0 {
		d.FirstOrigination = v.Start
	}
	if silence := d.SilentFor(now); silence >= dayNs {
		d.WokeAt, d.Silence = v.Start, silence
	}
	d.LastOrigination = max(d.LastOrigination, v.Start)
	d.setOpened(r.Mark(now))
	d.Originated++
	d.hourOpened++
	if d.opened < 255 {
		d.opened++
	}
}

// Infrastructure reports whether a session, by its port alone, is one that every host needs on a network: DNS, NTP, DHCP, logging,
// discovery. Package contract decides whether its server is allowed.
func Infrastructure(v *session.View) bool {
	p := v.Responder.Port
	switch v.Proto {
	case protoTCP:
		return p == 53
	case protoUDP:
		switch p {
		case 53, 67, 68, 123, 137, 138, 514, 546, 547, 1900, 3702, 5353, 5355:
			return true
		}
		return false
	case protoICMP:
		return v.ICMPType != 8
	case protoICMP6:
		return v.ICMPType != 128
	}
	return v.Proto == 2 // IGMP
}

// serve records that a device answered on a port.
func (r *Registry) serve(d *Device, v *session.View, app *fingerprint.App) {
	if !serves(v, app) || v.ToGroup() {
		return
	}
	s := Serve{Port: v.Responder.Port, Proto: "tcp", External: !r.InternalAddr(v.Initiator.Addr),
		First: v.Start, Last: max(v.End, v.Start), addr: v.Responder.Addr}
	if v.Proto == protoUDP {
		s.Proto = "udp"
	}
	if v.Start != d.lastServed && d.served < 255 {
		d.lastServed = v.Start
		d.served++
	}
	if app != nil {
		s.App = app.Name
	}
	r.servedClient(d, v)
	if x := d.ServesOn(s.Port, s.Proto); x != nil && (s.App == "" || s.App == x.App) {
		x.note(&s)
		return
	}
	d.addServe(s)
	r.observeServe(d, s)
	r.platform(d, s.Last)
}

// serves reports whether a session shows that its responder offers a service. A UDP session between high ports does not, because either
// side may have sent first.
func serves(v *session.View, app *fingerprint.App) bool {
	switch v.Proto {
	case protoTCP:
		return v.Answered() && v.Basis != session.BasisFirstPacket
	case protoUDP:
		if v.Responder.Port == 68 || v.Responder.Port == 546 || v.Packets[session.In] == 0 {
			return false
		}
		return v.Responder.Port < 1024 || app != nil && app.Name != "" && v.Responder.Port < 49152
	}
	return false
}

func (d *Device) addServe(s Serve) {
	i, found := slices.BinarySearchFunc(d.Serves, s, func(a, b Serve) int {
		if a.Port != b.Port {
			return int(a.Port) - int(b.Port)
		}
		return int(a.Proto[0]) - int(b.Proto[0])
	})
	if !found {
		if len(d.Serves) < MaxServes {
			d.Serves = slices.Insert(d.Serves, i, s)
		}
		return
	}
	x := &d.Serves[i]
	if s.App != "" {
		x.App = s.App
	}
	x.note(&s)
}

// note adds another session on the same port.
func (s *Serve) note(x *Serve) {
	s.External = s.External || x.External
	s.First, s.Last = min(s.First, x.First), max(s.Last, x.Last)
}

func (d *Device) addIP(a packet.Addr) {
	d.addrs = append(d.addrs, a)
	if ip := a.Netip(); !d.HasIP(ip) {
		d.IPs = append(d.IPs, ip)
	}
}

func (d *Device) dropIP(a packet.Addr) {
	i := slices.Index(d.addrs, a)
	if i < 0 {
		return
	}
	d.Version++
	d.addrs = slices.Delete(d.addrs, i, i+1)
	ip := a.Netip()
	if !slices.ContainsFunc(d.addrs, func(x packet.Addr) bool { return x.Netip() == ip }) {
		d.IPs = slices.DeleteFunc(d.IPs, func(x netip.Addr) bool { return x == ip })
	}
}

func (d *Device) addHostname(name string) {
	if name == "" || len(d.Hostnames) >= MaxHostnames || slices.Contains(d.Hostnames, name) {
		return
	}
	d.Hostnames = append(d.Hostnames, name)
	d.Version++
}

// addPrint adds a fingerprint and reports whether it is a new one.
func (d *Device) addPrint(print string) bool {
	if print == "" || len(d.Prints) >= MaxPrints || slices.Contains(d.Prints, print) {
		return false
	}
	d.Prints = append(d.Prints, print)
	d.Version++
	return true
}

// Stack records the TCP/IP stack of the device that sent a SYN or SYN-ACK. initiator and responder are the results of Session; either may be
// nil. A device has few stacks, and each is matched once.
func (r *Registry) Stack(v *session.View, s *fingerprint.Stack, initiator, responder *Device, now int64) {
	d, e := initiator, &v.Initiator
	if s.Answer {
		d, e = responder, &v.Responder
	}
	for _, x := range [...]*Device{d, r.partAt(e.Addr, d)} {
		if x == nil || x.lastStack == s {
			continue
		}
		if x.lastStack = s; !x.addPrint(s.NPF) {
			continue
		}
		r.changed(x)
		if st := r.evidence.Stack(s); st != nil {
			r.claim(x, evidence.Claim{Statement: st, At: now})
		}
	}
}

// clearTraffic drops what was learned from traffic that was not the device's own.
func (r *Registry) clearTraffic(d *Device) {
	delete(r.pulls, d.ID)
	r.forget(d)
	d.hourCount = hourCount{lastFrame: d.lastFrame}
	d.FirstOrigination, d.LastOrigination, d.Originated, d.WokeAt, d.Silence = 0, 0, 0, 0, 0
	d.Hostnames, d.Prints, d.lastStack, d.names, d.clients, d.things = nil, nil, nil, 0, 0, 0
	d.claims.KeepMAC()
	d.Serves, d.stack, d.opened, d.served = nil, stack{}, 0, 0
}

// pulled records an RTSP server from which a device took a stream, and returns their number, at most maxPulls.
func (r *Registry) pulled(d *Device, server packet.Addr) int {
	if !d.node.queued { // dropped
		return 0
	}
	if list := r.pulls[d.ID]; len(list) < maxPulls && !slices.Contains(list, server) {
		r.pulls[d.ID] = append(list, server)
	}
	return len(r.pulls[d.ID])
}

const maxPulls = 8
