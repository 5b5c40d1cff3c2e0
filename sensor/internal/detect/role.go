// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// RoleParams are the parameters of D05.
type RoleParams struct {
	MaxTold int `yaml:"max_told"` // breaches remembered, so that one is told once per session
}

// DefaultRoleParams gives the defaults of D05.
func DefaultRoleParams() RoleParams { return RoleParams{MaxTold: 50_000} }

// role is D05: a device does what no device of its role does, such as a camera that opens SSH.
type role struct {
	p    RoleParams
	told *table[roleBreach, struct{}]
}

type roleBreach struct {
	session uint64
	device  uint32
}

func newRole(p RoleParams) *role { return &role{p, newTable[roleBreach, struct{}](p.MaxTold)} }

func (r *role) Rule() Rule { return ruleRole }

func (r *role) Kinds() []Kind { return []Kind{SessionOpened, SessionState, SessionFact} }

func (r *role) Tick(now int64, c *Context) {}

// Observe asks when a session was answered and when its application was recognised: those are the moments at which a
// breach of the template can be seen.
func (r *role) Observe(e *Event, c *Context) {
	switch e.Kind {
	case SessionOpened:
		if !originated(e) {
			return
		}
	case SessionState:
		if !e.Session.Answered() {
			return
		}
	case SessionFact:
		if !e.Named {
			return
		}
	default:
		return
	}
	if !e.Session.Opened() || !unicast(e.Session) {
		return
	}
	r.ask(e, c, e.Initiator, session.Out)
	if e.Session.Answered() {
		r.ask(e, c, e.Responder, session.In)
	}
}

func (r *role) ask(e *Event, c *Context, d *device.Device, dir session.Dir) {
	if d == nil || d.Role == device.Unknown {
		return
	}
	k := roleBreach{e.Session.ID, d.ID}
	if r.told.get(k, c.Now) != nil {
		return
	}
	text, forbidden := c.Book.RoleBreach(d, e.Session, e.App)
	if text == "" {
		return
	}
	r.told.put(k, c.Now)
	if c.approved(d, c.judge(e, dir)) { // the operator has said that it may
		return
	}
	f := r.finding(e, c, d, dir, text)
	if !forbidden { // unusual, but known to happen
		f.Severity = Informational
	}
	c.Emit(f)
}

func (r *role) finding(e *Event, c *Context, d *device.Device, dir session.Dir, text string) *Finding {
	f := c.on(r.Rule(), e, dir)
	f.Key = [...]string{"client ", "server "}[dir] + service(&Event{Session: e.Session})
	f.Severity = r.severity(d, c)
	if dir == session.Out {
		f.Stage = StageOutbound
	}
	f.Broken = Clean(text, 300)
	f.Title = fmt.Sprintf("%s goes against its role: %s", f.Who(), Clean(text, 120))
	f.Message = fmt.Sprintf("Expected of %s: what %s does (the role is %s, P %.2f). Seen: at %s, %s; %s with %s.",
		f.Who(), d.Role.Phrase(), d.Level, d.Probability, clock(e.Session.Start), Clean(text, 200), service(e), peerLabel(f.Peer))
	f.Reasons = []Reason{{Code: "role_" + d.Level.String(), Text: "role " + d.Role.String() + " is " + d.Level.String(), Weight: d.Probability / 2},
		benign("the role was told wrongly, or the maker uses this service for its own support")}
	f.Recommendation = "Check that the role is right; if it is, look at what the device does with this service."
	return f
}

// severity is high only where the role comes from the inventory or an expectation stands: a role that is inferred may be
// wrong, and then so is the template.
func (r *role) severity(d *device.Device, c *Context) Severity {
	x, source := c.Book.Expect(d, c.Now)
	switch {
	case x != contract.Normal && strict(x, source):
		return High
	case d.Level == device.Identified:
		return Medium
	}
	return Low
}
