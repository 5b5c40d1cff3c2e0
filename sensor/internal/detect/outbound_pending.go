// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// pendingSessions holds sessions that D01 has not decided because their next packets may show that they are allowed. Each has a
// deadline, after which it is decided as it is. If there are too many, new ones are decided at once.
type pendingSessions struct {
	limit    int
	sessions map[uint64]*pendingSession
	queues   [numWaits][]wait // each in the order of the deadlines, as all its sessions wait equally long
}

type pendingSession struct {
	kind waitKind
	last Event // the latest event, with its own copy of Session
}

type waitKind uint8

const (
	waitHello  waitKind = iota // for the name in a TLS or QUIC hello, which the contract may allow
	waitAnswer                 // for other datagrams from the same port, which may show that this one was an answer
	numWaits
)

type wait struct {
	until int64
	id    uint64
}

func newPendingSessions(limit int) *pendingSessions {
	return &pendingSessions{limit: limit, sessions: map[uint64]*pendingSession{}}
}

// add keeps a session until its deadline. It returns false if there are too many. A session that is decided early leaves its entry in
// the queue until the deadline, so the queue is bounded too.
func (w *pendingSessions) add(e *Event, kind waitKind, until int64) bool {
	if len(w.sessions) >= w.limit || len(w.queues[kind]) >= 2*w.limit {
		return false
	}
	x := &pendingSession{kind: kind}
	x.note(e)
	w.sessions[e.Session.ID] = x
	w.queues[kind] = append(w.queues[kind], wait{until, e.Session.ID})
	return true
}

func (x *pendingSession) note(e *Event) {
	v := *e.Session
	x.last = *e
	x.last.Session = &v
}

// due returns the first deadline, 0 if there is none.
func (w *pendingSessions) due() (at int64) {
	for i := range w.queues {
		q := w.queues[i]
		for len(q) > 0 && w.sessions[q[0].id] == nil {
			q = q[1:]
		}
		w.queues[i] = q
		if len(q) > 0 && (at == 0 || q[0].until < at) {
			at = q[0].until
		}
	}
	return at
}

// expired removes and returns one session whose deadline has passed, nil if there is none.
func (w *pendingSessions) expired(now int64) *Event {
	if at := w.due(); at == 0 || at > now {
		return nil
	}
	for i := range w.queues {
		if q := w.queues[i]; len(q) > 0 && q[0].until <= now {
			x := w.sessions[q[0].id]
			delete(w.sessions, q[0].id)
			w.queues[i] = q[1:]
			return &x.last
		}
	}
	return nil
}

// mustWait reports whether a session that breaks its contract so far should stay pending.
func (o *outbound) mustWait(e *Event, c *Context) bool {
	v := e.Session
	kind, seconds := waitHello, o.p.HelloSeconds
	switch {
	case e.Opening == device.Unclear:
		kind, seconds = waitAnswer, o.p.AnswerSeconds
	case !c.Contracts.AllowsByName(e.Initiator, v) || c.named(e):
		return false
	}
	until := v.Start + int64(seconds)*second
	return until > c.Now && o.pending.add(e, kind, until)
}

// named reports whether a session has sent everything that its contract can compare with names: the name in its hello, with the
// certificate if that must confirm it, or bytes that are not TLS.
func (c *Context) named(e *Event) bool {
	switch {
	case e.Session.State == session.Closed || e.Session.State == session.Reset || e.Session.State == session.Rejected:
		return true
	case e.App == nil || e.App.Name == "" && e.App.Hello == nil:
		return false
	case e.App.Hello == nil:
		return e.App.Name != "tls" && e.App.Name != "quic"
	case e.App.Hello.SNI == "" || e.App.Cert != nil || c.Names == nil:
		return true
	}
	client, far := e.Session.Initiator.Addr.Netip(), e.Session.Responder.Addr.Netip()
	return len(c.Names.Own(client, far, c.Now)) > 0 || !c.Names.Asks(client, c.Now)
}

// wait updates a pending session with its next event. waited is false if the session is not pending, over is true if it can be decided
// now.
func (o *outbound) wait(e *Event, c *Context) (waited, over bool) {
	x := o.pending.sessions[e.Session.ID]
	if x == nil {
		return false, false
	}
	x.note(e)
	switch x.kind {
	case waitHello:
		over = c.named(e) || e.Kind == SessionEnded
		if c.verdict(e).Allowed {
			delete(o.pending.sessions, e.Session.ID)
			return true, false
		}
	case waitAnswer:
		over = e.Opening != device.Unclear
	}
	if over {
		delete(o.pending.sessions, e.Session.ID)
	}
	return true, over
}

// decideExpired decides the sessions whose deadline has passed.
func (o *outbound) decideExpired(now int64, c *Context) {
	for e := o.pending.expired(now); e != nil; e = o.pending.expired(now) {
		c.Begin()
		c.Devices.Settle(e.Initiator)
		if e.Opening = c.Devices.Opening(e.Session); e.Opening == device.Unclear {
			c.Devices.Clear(e.Initiator, e.Session, c.Now)
			e.Opening = device.Opens
		}
		o.opened(e, c, false)
		if e.Kind == SessionEnded {
			o.live.drop(e.Session.ID)
		}
	}
	c.Begin()
}

// Deadline returns the first deadline of a pending session.
func (o *outbound) Deadline() int64 { return o.pending.due() }

// Finish decides the sessions that are still pending at the end of the run.
func (o *outbound) Finish(now int64, c *Context) { o.decideExpired(1<<63-1, c) }
