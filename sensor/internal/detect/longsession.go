// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(longSessionRule)

// longSessionRule registers D17.
var longSessionRule = register(registration{
	Rule: Rule{
		ID: "D17", Name: "Long session", Kind: "long_session", Version: 1, Reliability: 0.25,
		Attack: join(enterprise(taCommand, "T1071", "T1571"), ics(icsCommand, "T0869")),
	},
	titleOrder: 7,
	advice: map[string]steps{
		"": {
			"Find out whose address the peer is, and ask the owner of the device whether this session is expected.",
			"{inspect}",
			"If nobody knows the session: {then contain} If it is expected, add it to the inventory.",
		},
	},
}, DefaultLongSessionParams, newLongSessions)

// LongSessionParams are the parameters of D17.
type LongSessionParams struct {
	Hours       []int `yaml:"hours"`        // hours after which a session is reported, first and again
	IdleSeconds int   `yaml:"idle_seconds"` // longest pause in a session: if it carried little, it counts as open until so long ago
	Bytes       int   `yaml:"bytes"`        // or: payload of a session of a silent device whose start was not captured
	MaxSessions int   `yaml:"max_sessions"` // open sessions followed
}

// DefaultLongSessionParams returns the defaults of D17.
func DefaultLongSessionParams() LongSessionParams {
	return LongSessionParams{Hours: []int{1, 4, 8, 12}, IdleSeconds: 3600, Bytes: 100_000, MaxSessions: 20_000}
}

// longSessions is D17: a session with an external host is kept for hours. Control channels are, and most others are not. It is decided
// while the session is open. D01 reports what a silent device opens, so this rule leaves that out.
type longSessions struct {
	p      LongSessionParams
	open   *table[uint64, *openSession] `snapshot:"-"` // by session
	free   []*openSession               `snapshot:"-"` // to be used again: an entry takes some 800 bytes
	none   openSession                  `snapshot:"-"` // scratch: a session that is not followed
	queues [][]wait                     // by level, each in the order of the deadlines
}

// openSession is a session that is followed.
type openSession struct {
	last       Event // the latest event; its Session is view
	view       session.View
	reported   int  // the level that was decided last
	bulk       bool // decided for what it carried
	hasFinding bool // there was a finding
}

func newLongSessions(p LongSessionParams) *longSessions {
	return &longSessions{p: p, open: newTable[uint64, *openSession](p.MaxSessions), queues: make([][]wait, len(p.Hours))}
}

func (l *longSessions) Rule() Rule { return longSessionRule.Rule }

func (l *longSessions) Kinds() []Kind { return []Kind{SessionState, SessionProgress, SessionEnded} }

func (l *longSessions) setParams(p LongSessionParams) {
	l.p = p
	l.open.limit(p.MaxSessions)
	for len(l.queues) < len(p.Hours) {
		l.queues = append(l.queues, nil)
	}
}

// parts returns nothing: sessions end with the run.
func (l *longSessions) parts(*device.Registry) []snapshot.Part { return nil }

func (l *longSessions) evictions() uint64 { return l.open.evicted() }

// Tick decides the sessions whose deadlines have passed. A session that has not ended by then had a packet within IdleSeconds.
func (l *longSessions) Tick(now int64, c *Context) {
	for level := range min(len(l.queues), len(l.p.Hours)) {
		q := l.queues[level]
		for len(q) > 0 && q[0].until <= now {
			if p := l.open.get(q[0].id, now); p != nil {
				x := *p
				e := x.last
				e.Session = &x.view
				c.Begin()
				l.evaluate(&e, c, x, now-int64(l.p.IdleSeconds)*second-x.view.Start)
				l.wait(x.view.ID, x.view.Start, level+1)
			}
			q = q[1:]
		}
		l.queues[level] = q
	}
}

func (l *longSessions) Observe(e *Event, c *Context) {
	v := e.Session
	if !l.concerns(e, c) {
		return
	}
	lasted := v.End - v.Start
	if e.Kind == SessionEnded { // it comes after the state in which both ends have closed
		x, ok := l.open.take(v.ID)
		if !ok {
			l.none.reported, l.none.bulk, l.none.hasFinding = 0, false, false
			l.evaluate(e, c, &l.none, lasted)
			return
		}
		l.evaluate(e, c, x, lasted)
		*x = openSession{}
		l.free = append(l.free, x)
		return
	}
	p := l.open.get(v.ID, c.Now)
	if p == nil {
		if !v.Answered() || len(l.p.Hours) == 0 {
			return
		}
		p = l.open.put(v.ID, c.Now)
		*p = l.new()
		l.wait(v.ID, v.Start, 0)
	}
	x := *p
	x.last, x.view = *e, *v
	x.last.Session = nil
	l.evaluate(e, c, x, lasted)
}

// new returns an empty entry.
func (l *longSessions) new() *openSession {
	n := len(l.free)
	if n == 0 {
		return &openSession{}
	}
	x := l.free[n-1]
	l.free = l.free[:n-1]
	return x
}

// concerns reports whether one end of a session is a device and the other is external.
func (l *longSessions) concerns(e *Event, c *Context) bool {
	v := e.Session
	switch {
	case (e.Initiator == nil) == (e.Responder == nil) || !unicast(v):
		return false
	case e.Responder == nil:
		return !isComputer(e.Initiator) && c.external(nil, addr(&v.Responder, v.V6))
	case !c.external(nil, addr(&v.Initiator, v.V6)):
		return false
	}
	x, _ := c.Contracts.Expect(e.Responder, c.Now) // public servers have many sessions from outside
	return x != contract.Normal || isAppliance(e.Responder)
}

// wait queues the deadline of a level. Sessions that have ended leave the queue at their deadline, or when it is full.
func (l *longSessions) wait(id uint64, start int64, level int) {
	if level >= len(l.p.Hours) {
		return
	}
	if q := l.queues[level]; len(q) >= 2*l.p.MaxSessions {
		l.queues[level] = slices.DeleteFunc(q, func(w wait) bool { return l.open.lru.Peek(w.id) == nil })
	}
	l.queues[level] = append(l.queues[level], wait{start + int64(l.p.Hours[level])*hour + int64(l.p.IdleSeconds)*second, id})
}

// evaluate reports a session that has lasted longer than at the last report, or that has carried much. One that continues an expired session
// has been open for the timeout before it at least.
func (l *longSessions) evaluate(e *Event, c *Context, x *openSession, lasted int64) {
	if e.Session.Resumed {
		lasted += int64(l.p.IdleSeconds) * second
	}
	level := 0
	for level < len(l.p.Hours) && lasted >= int64(l.p.Hours[level])*hour {
		level++
	}
	v := e.Session
	bulk := l.p.Bytes > 0 && v.Unconfirmed && v.PayloadBytes[0] > 0 && v.PayloadBytes[1] > 0 && v.PayloadBytes[0]+v.PayloadBytes[1] >= uint64(l.p.Bytes)
	if level <= x.reported && (!bulk || x.bulk) {
		return
	}
	dir := session.Out
	if e.Initiator == nil {
		dir = session.In
	}
	x.reported, x.bulk = max(level, x.reported), x.bulk || bulk // decided once a level
	sev, ok := l.severity(e, c, dir, level, bulk)
	if !ok {
		return
	}
	f := l.finding(e, c, dir, max(lasted, 0))
	f.Severity, f.Continues, f.Revises = sev, x.hasFinding, x.hasFinding
	x.hasFinding = true
	c.Emit(f)
}

// severity returns how severe it is that a session has lasted so long; ok is false if it is nothing.
func (l *longSessions) severity(e *Event, c *Context, dir session.Dir, level int, bulk bool) (sev Severity, ok bool) {
	d := e.Initiator
	if dir == session.In {
		d = e.Responder
	}
	x, _ := c.Contracts.Expect(d, c.Now)
	limited := x != contract.Normal
	switch {
	case limited && dir == session.Out && opened(e.Session), level == 0 && !(bulk && limited && dir == session.Out), l.allowed(e, c, dir, d):
		return Low, false // D01 reports what a silent device opens
	case limited:
		return Medium, true
	case dir == session.In:
		return Low, isAppliance(d) && level > 1
	case c.ResponderName(e) != "" || d.Router:
		return Low, false
	case isAppliance(d) && level >= len(l.p.Hours):
		return Medium, true
	}
	return Low, true
}

// opened reports whether it is known who opened a session, also one that continues an expired session.
func opened(v *session.View) bool { return v.Opened() || v.Resumed && v.Basis == session.BasisSYN }

// allowed reports whether a session is infrastructure or expected by the inventory. If its start was not captured, the other direction
// counts too.
func (l *longSessions) allowed(e *Event, c *Context, dir session.Dir, d *device.Device) bool {
	v := c.verdictFor(e, dir)
	if v.Infrastructure || v.Entry != "" {
		return true
	}
	if !e.Session.Unconfirmed {
		return false
	}
	turned := *e.Session
	turned.Turn()
	v = c.Contracts.Check(d, 1-dir, &turned, e.App, "", nil, c.Now)
	return v.Infrastructure || v.Entry != ""
}

func (l *longSessions) finding(e *Event, c *Context, dir session.Dir, lasted int64) *Finding {
	f := c.sessionFinding(l.Rule(), e, dir)
	v := e.Session
	verdict := c.verdictFor(e, dir)
	x, source := c.Contracts.Expect(f.Device, c.Now)
	f.Key, f.Stage, f.Maintenance, f.Broken = serviceKey(addr(&v.Responder, v.V6), v), StageOutbound, verdict.Maintenance, Clean(verdict.Broken, 300)
	since := v.Start
	if v.Resumed {
		since -= int64(l.p.IdleSeconds) * second
	}
	f.Start, f.End = since, max(v.End, since+lasted)
	how := "which it opened"
	switch {
	case !opened(v):
		how = "whose start was not captured"
	case dir == session.In:
		f.Key, how = addr(&v.Initiator, v.V6).String()+" on "+portName(e), "which the other end opened"
	}
	who, to := f.self(), f.Peer.at()
	time := span(lasted)
	f.Brief = "keeps a session with " + to.brief()
	f.Title = headline("%s keeps a session with %s for "+time, who, to)
	f.Message = fmt.Sprintf("Expected: %s %s. Seen: a session with %s on %s, %s, has been open for %s since %s.",
		who.full, expectation(x, source), f.other().full, portName(e), how, time, clock(since))
	f.Reasons = append(f.Reasons, Reason{Code: "long", Text: "the session has lasted for " + time, Weight: 0.3})
	if x != contract.Normal {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.3})
	}
	if !opened(v) {
		f.Reasons = append(f.Reasons, Reason{Code: "midstream", Text: "it began before the capture, so who opened it is not certain", Weight: -0.1})
	}
	f.Reasons = append(f.Reasons, benign("a cloud service or an administrator keeps the session open; then add it to the inventory"))
	summary := fmt.Sprintf("%s, open for %s", v.State, time)
	if v.PayloadBytes != [2]uint64{} { // idle sessions do not report what they have carried
		summary += ", " + traffic(v)
	}
	f.Evidence = []Evidence{{Kind: "session", Summary: summary,
		Data: map[string]any{"basis": v.Basis.String(), "seconds": lasted / second}}}
	f.Recommendation = longSessionRule.advise("", f.Device)
	return f
}
