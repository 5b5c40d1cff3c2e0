// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// far is how many times a budget must be exceeded to be far beyond it.
const far = 10

// serverUse is a device and a server that it uses.
type serverUse struct {
	device uint32
	server
}

// usage is what a device has exchanged with one server in this hour.
type usage struct {
	from      int64
	bytes     uint64
	packets   uint64
	sessions  int
	malformed int // sessions without a message of the protocol
	reported  uint64
	first     int64 // of what was reported; 0: nothing was
	last      int64
}

func (x *usage) walk(c *snapshot.Codec) {
	c.Time(&x.from)
	c.Uint(&x.bytes)
	c.Uint(&x.packets)
	c.Int(&x.sessions)
	c.Int(&x.malformed)
	c.Uint(&x.reported)
	c.Time(&x.first)
	c.Time(&x.last)
}

// spent is what one session has carried so far.
type spent struct{ bytes, packets uint64 }

// spend adds what a session has carried to the budget of its device and server.
func (u *unpinned) spend(e *Event, c *Context, service contract.Service, x contract.Expect) {
	v := e.Session
	if x != contract.Normal && contract.WrongProtocol(v, e.App) { // D01 reports it
		return
	}
	now := spent{v.PayloadBytes[session.Out] + v.PayloadBytes[session.In], v.Packets[session.Out]}
	var before spent
	if e.Kind == SessionEnded {
		before, _ = u.sessions.take(v.ID)
	} else {
		s := u.sessions.put(v.ID, c.Now)
		before, *s = *s, now
	}
	k := serverUse{e.Initiator.ID, server{service, v.Responder.Addr}}
	n := u.budgets.put(k, c.Now)
	if c.Now-n.from >= hour {
		*n = usage{from: max(v.Start, c.Now-hour), first: n.first, last: n.last, reported: n.reported}
		if c.Now-n.last > day {
			n.first, n.reported = 0, 0
		}
	}
	grown := spent{now.bytes - min(before.bytes, now.bytes), now.packets - min(before.packets, now.packets)}
	if lasted := v.End - v.Start; before == (spent{}) && lasted > hour { // all of it is reported at once: a client with a fixed port has one session
		grown.bytes = uint64(float64(grown.bytes) * float64(hour) / float64(lasted))
		grown.packets = uint64(float64(grown.packets) * float64(hour) / float64(lasted))
	}
	n.bytes += grown.bytes
	n.packets += grown.packets
	if e.Kind == SessionEnded {
		n.sessions++
		if u.spoken[service] && (e.App == nil || e.App.Name == "") && v.PayloadBytes[session.Out] > 0 && !v.Gap {
			n.malformed++
		}
	}
	if times := u.p.times(service, n); times >= max(1, 2*n.reported) && c.verdict(e).Entry == "" {
		if n.first == 0 {
			n.first = n.from
		}
		n.last = c.Now
		c.Emit(u.budgetFinding(e, c, service, x, n, times))
		n.reported = times
	}
}

// times returns how many times the budget was used up; 0 if it was not.
func (p *UnpinnedParams) times(s contract.Service, n *usage) uint64 {
	over := func(n uint64, limit int) uint64 {
		if limit <= 0 {
			return 0
		}
		return n / uint64(limit)
	}
	if s == contract.DNS {
		return max(over(n.bytes, p.DNSBytes), over(uint64(n.malformed), p.Malformed))
	}
	return max(over(n.bytes, p.NTPBytes), over(n.packets, p.NTPPackets), over(uint64(n.malformed), p.Malformed))
}

func (u *unpinned) budgetFinding(e *Event, c *Context, service contract.Service, x contract.Expect, n *usage, times uint64) *Finding {
	f := c.sessionFinding(u.Rule(), e, session.Out)
	_, source := c.Contracts.Expect(e.Initiator, c.Now)
	f.Key, f.Stage = "budget "+serviceNames[service]+" "+f.Peer.IP, StageOutbound
	f.Start, f.Continues, f.Maintenance = n.first, n.reported > 0, c.verdict(e).Maintenance
	f.Severity = Low
	if x != contract.Normal {
		f.Severity = Medium
	}
	if times >= far {
		f.Severity++
	}
	who, to, what := f.self(), f.other(), serviceTexts[service]
	f.Brief = "uses the " + what + " " + to.brief() + " beyond its budget"
	f.Title = headline("%s exchanges too much with the "+what+" %s", who, to)
	seen := fmt.Sprintf("%s and %s sent in %s", size(n.bytes), Plural(n.packets, "packet", "packets"), Plural(n.sessions, "ended session", "ended sessions"))
	if n.malformed > 0 {
		seen += fmt.Sprintf(", %d without a message of the protocol", n.malformed)
	}
	f.Message = fmt.Sprintf("Expected: %s sends a few requests an hour to the %s %s. Seen: since %s %s, %d times its budget.",
		who.full, what, to.full, clock(n.from), seen, times)
	f.Reasons = []Reason{{Code: "budget", Text: fmt.Sprintf("%d times what a client needs: a control channel can hide in it", times), Weight: 0.4}}
	if n.malformed > 0 {
		f.Reasons = append(f.Reasons, Reason{Code: "malformed", Text: "sessions on the port of the service carry something else", Weight: 0.3})
	}
	if x != contract.Normal {
		f.Reasons = append(f.Reasons, Reason{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("a program asks again and again because the server does not answer, or a resolver runs on the device"))
	f.Evidence = []Evidence{{Kind: "budget", Summary: seen,
		Data: map[string]any{"bytes": n.bytes, "packets_out": n.packets, "sessions": n.sessions, "malformed_sessions": n.malformed}}}
	f.Recommendation = unpinnedRule.advise("budget", f.Device)
	return f
}
