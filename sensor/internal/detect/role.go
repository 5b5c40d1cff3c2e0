// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

var _ = add(roleRule)

// roleRule registers D05.
var roleRule = register(registration{
	Rule: Rule{
		ID: "D05", Name: "Role breach", Kind: "role_breach", Version: 1, Reliability: 0.6,
		Attack: join(enterprise(taCommand, "T1571", "T1205"), ics(icsCommand, "T0885")),
	},
	titleOrder: 8,
	advice: map[string]steps{
		"": {
			"Check that the role of the device is right; correct it in the inventory if not.",
			"{inspect}",
			"If the service is not needed, block its port at the firewall.",
		},
	},
}, DefaultRoleParams, newRole)

// RoleParams are the parameters of D05.
type RoleParams struct {
	MaxBreaches int `yaml:"max_breaches"` // breaches kept, so that each is reported once per session
}

// DefaultRoleParams returns the defaults of D05.
func DefaultRoleParams() RoleParams { return RoleParams{MaxBreaches: 50_000} }

// role is D05: a device does what no device of its role does, such as a camera that opens SSH.
type role struct {
	p        RoleParams
	reported *table[roleBreach, struct{}] `snapshot:"-"`
}

type roleBreach struct {
	session uint64
	device  uint32
}

func newRole(p RoleParams) *role { return &role{p, newTable[roleBreach, struct{}](p.MaxBreaches)} }

func (r *role) Rule() Rule { return roleRule.Rule }

func (r *role) Kinds() []Kind { return []Kind{SessionOpened, SessionState, SessionFact} }

func (r *role) setParams(p RoleParams) {
	r.p = p
	r.reported.limit(p.MaxBreaches)
}

func (r *role) evictions() uint64 { return r.reported.evicted() }

func (r *role) Tick(now int64, c *Context) {}

// Observe asks when a session was answered and when its application was recognized: those are the moments at which a
// breach of the template can be seen.
func (r *role) Observe(e *Event, c *Context) {
	switch e.Kind {
	case SessionOpened:
		if !Originated(e) {
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
	r.checkEnd(e, c, e.Initiator, session.Out)
	if e.Session.Answered() {
		r.checkEnd(e, c, e.Responder, session.In)
	}
}

func (r *role) checkEnd(e *Event, c *Context, d *device.Device, dir session.Dir) {
	if d == nil || d.Role == device.Unknown {
		return
	}
	k := roleBreach{e.Session.ID, d.ID}
	if r.reported.get(k, c.Now) != nil {
		return
	}
	text, forbidden := c.Contracts.RoleBreach(d, e.Session, e.App)
	if text == "" {
		return
	}
	r.reported.put(k, c.Now)
	if c.verdictFor(e, dir).Entry != "" { // the inventory allows it
		return
	}
	f := r.finding(e, c, d, dir, text)
	if !forbidden { // unusual, but known to happen
		f.Severity = Informational
	}
	c.Emit(f)
}

func (r *role) finding(e *Event, c *Context, d *device.Device, dir session.Dir, text string) *Finding {
	f := c.sessionFinding(r.Rule(), e, dir)
	f.Key = [...]string{"client ", "server "}[dir] + service(&Event{Session: e.Session})
	f.Severity = r.severity(d, c)
	if dir == session.Out {
		f.Stage = StageOutbound
	}
	f.Broken = Clean(text, 300)
	who, role := f.self(), name{d.Role.Phrase(), d.Role.Phrase()}
	verb := [...]string{"opened", "answers on"}[dir]
	f.Title = headline("%s "+verb+" %s, unusual for %s", who, name{service(e), portName(e)}, role)
	what := [...]string{"it opened %s to %s", "it answered on %s to %s"}[dir]
	f.Message = fmt.Sprintf("Expected: %s behaves like %s (role %s, P %.2f): %s. Seen: at %s "+what+".",
		who.full, d.Role.Phrase(), d.Level, d.Probability, Clean(text, 200), clock(e.Session.Start), service(e), f.other().full)
	if dir == session.Out {
		f.Brief = "opens " + portName(e)
	}
	f.Reasons = []Reason{{Code: "role_" + d.Level.String(), Text: "role " + d.Role.String() + " is " + d.Level.String(), Weight: d.Probability / 2},
		benign("the role is wrong, or the vendor uses this service for support")}
	f.Recommendation = roleRule.advise("", f.Device)
	return f
}

// severity is high only if the role comes from the inventory or an expectation was declared. An inferred role may be wrong, and so may
// its template.
func (r *role) severity(d *device.Device, c *Context) Severity {
	x, source := c.Contracts.Expect(d, c.Now)
	switch {
	case x != contract.Normal && strict(x, source):
		return High
	case d.Level == device.Identified:
		return Medium
	}
	return Low
}
