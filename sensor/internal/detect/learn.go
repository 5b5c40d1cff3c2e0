// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// Learn passes a session that has ended to the learned contracts of the devices at its ends. It is called after the detectors have seen the event.
func (c *Context) Learn(e *Event) {
	l, v := c.Contracts.Learner(), e.Session
	if e.Kind != SessionEnded || l == nil || !v.Answered() || !v.Opened() || !unicast(v) {
		return
	}
	app := ""
	if e.App != nil {
		app = e.App.Name
	}
	if l.Wants(e.Initiator, v.Start) && Originated(e) && !c.verdict(e).Infrastructure {
		name := ""
		if names := c.trustedNames(e, v.Start); len(names) > 0 { // a long session outlives the lookup
			name = names[0]
		}
		_, breach := c.Contracts.RoleBreach(e.Initiator, v, e.App)
		breach = breach || c.listedAs(addr(&v.Responder, v.V6), name) != nil
		x := c.Contracts.ContactOf(session.Out, v, app, name, e.Responder)
		l.Use(e.Initiator, &x, v, breach)
	}
	if l.Wants(e.Responder, v.Start) && v.HasPorts {
		if x := c.Contracts.ContactOf(session.In, v, app, "", e.Initiator); x.Port != 0 { // its other ports change with every session
			l.Use(e.Responder, &x, v, c.listedAs(addr(&v.Initiator, v.V6), "") != nil)
		}
	}
}

// suspicious reports whether nothing must be learned of a device after a finding: it is of medium severity or more, and no standing fact.
func (f *Finding) suspicious() bool { return f.Device != nil && f.Severity >= Medium && !f.Standing }

// Doubt lowers the severity of a finding that may come from what the capture lacks, and tells the learned contracts of it.
func (c *Context) Doubt(f *Finding) {
	if why := c.oneSided(f); why != "" && f.Severity > Medium {
		f.Severity = Medium
		f.Reasons = append(slices.Clip(f.Reasons), Reason{Code: "one_direction", Text: why, Weight: -0.3})
	}
	if l := c.Contracts.Learner(); l != nil && f.suspicious() {
		l.Incident(f.Device, c.Now)
	}
}

// roleRules are the rules whose severity depends on what a device is known to be. A capture of one direction shows less of that.
var roleRules = []string{"D01", "D05", "D16", "D45", "D48"}

// oneSided returns why a finding about a session that a device has opened is less certain, because the capture has one direction only; "" if it
// is not.
func (c *Context) oneSided(f *Finding) string {
	v := f.Session
	if v == nil || packet.AddrOf(f.DeviceAddr) != v.Initiator.Addr {
		return ""
	}
	if v.Packets[session.Out] == 0 && v.Packets[session.In] > 0 {
		return "the capture shows no packet that the device sent in this session"
	}
	if f.Device == nil || !c.Quality.OneWay || !slices.Contains(roleRules, f.Rule.ID) || strict(c.Contracts.Expect(f.Device, c.Now)) {
		return ""
	}
	return "the capture shows one direction only, and little of what the device is"
}

// learnedOf returns the learned contract that decides about the session of e, nil if there is none, or if the session was not answered.
func (c *Context) learnedOf(e *Event) *contract.Learned {
	k := c.Contracts.Learner().EnforcedOf(e.Initiator)
	if k == nil || k.Empty() || !e.Session.Answered() || !Originated(e) {
		return nil
	}
	return k
}

// unnamedBytes is how much a session may carry before it is decided without a name.
const unnamedBytes = 4096

// identified reports whether enough of a session was seen to compare it with a contract: its name, or so much that none will come.
func (c *Context) identified(e *Event) bool {
	v := e.Session
	return e.Kind == SessionEnded || e.Responder != nil || c.named(e) || v.PayloadBytes[session.Out]+v.PayloadBytes[session.In] > unnamedBytes
}

// compare compares the session of e with a contract, under each name that the device may mean, and returns what is best.
func (c *Context) compare(e *Event, k *contract.Learned) (at contract.Contact, r contract.Result, near *contract.LearnedEntry) {
	app := ""
	if e.App != nil {
		app = e.App.Name
	}
	names := c.TrustedNames(e)
	for i := range max(len(names), 1) {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		x := c.Contracts.ContactOf(session.Out, e.Session, app, name, e.Responder)
		if y, entry := k.Evaluate(&x, c.Now); i == 0 || y < r {
			at, r, near = x, y, entry
		}
	}
	return at, r, near
}
