// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// caller is who opened a session: a device, or a host that is none because both ends of the session are external. Captures of public
// networks have such sessions until their networks are declared internal.
type caller struct {
	device uint32
	addr   packet.Addr // of a host that is no device
}

// callerOf returns who opened the session of e; ok is false if that is not certain, or if a host outside has called a device.
func callerOf(e *Event) (k caller, ok bool) {
	if e.Initiator != nil {
		return caller{device: e.Initiator.ID}, Originated(e)
	}
	v := e.Session
	if e.Responder != nil || v.Proto != protoTCP || v.Basis != session.BasisSYN || !v.Opened() || !unicast(v) {
		return k, false
	}
	return caller{addr: v.Initiator.Addr}, true
}

func (k *caller) walk(c *snapshot.Codec) {
	deviceKey(c, &k.device)
	addrKey(c, &k.addr)
}

// callsOut reports whether the responder of e is outside the watched network.
func (c *Context) callsOut(e *Event) bool {
	return c.external(e.Responder, addr(&e.Session.Responder, e.Session.V6))
}

// callerFinding returns a finding about a session that a caller has opened, with what is expected of the caller. ok is false if the contract
// of the device allows the session, or if it is infrastructure.
func (c *Context) callerFinding(r Rule, e *Event) (f *Finding, x contract.Expect, source string, ok bool) {
	if e.Initiator == nil {
		f = c.sessionFinding(r, e, session.Out)
		f.Reasons = []Reason{{Code: "not_internal", Text: "neither end is internal: if this is your network, declare it with --internal"}}
		return f, contract.Normal, "", true
	}
	v := c.verdict(e)
	if v.Infrastructure || v.Entry != "" {
		return nil, x, source, false
	}
	f = c.sessionFinding(r, e, session.Out)
	f.Maintenance = v.Maintenance
	if !v.Allowed {
		f.Broken = Clean(v.Broken, 300)
	}
	x, source = c.Contracts.Expect(e.Initiator, c.Now)
	return f, x, source, true
}

// isComputer reports whether a device is known to be a computer or a phone: their programs and users call anybody.
func isComputer(d *device.Device) bool {
	if d == nil || d.Level < device.Probable {
		return false
	}
	return d.Role == device.Workstation || d.Role == device.Phone || d.Role == device.Server
}

// isAppliance reports whether a device is likely one that serves a single purpose, such as a camera or a printer.
func isAppliance(d *device.Device) bool {
	if d == nil {
		return false
	}
	switch d.Role {
	case device.Camera, device.NVR, device.VMS, device.Printer, device.IoT, device.IoTHub, device.NetworkGear:
		return d.Level >= device.Hint
	}
	return false
}

// callerSeverity is high for a device that should open nothing, and for an appliance, whose peers are few and known by name. It is medium
// for a host of unknown role, and low for one that may be a computer.
func callerSeverity(d *device.Device, x contract.Expect, source string) Severity {
	switch {
	case strict(x, source), isAppliance(d):
		return High
	case d == nil || d.Role == device.Unknown || d.Role == device.Server && d.Level < device.Probable:
		return Medium
	}
	return Low
}
