// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
)

// failure is one failed login of a source on a target.
type failure struct {
	at      int64
	who     string // see login.who
	session uint64
	excused bool // a login of perhaps the same user followed: it is a failure, but none before a guessed password
}

// insert puts f at its place in time and forgets what is older than a day.
func (p *guesses) insert(f failure) {
	at := len(p.fails)
	for at > 0 && p.fails[at-1].at > f.at {
		at--
	}
	p.fails = slices.Insert(p.fails, at, f)
	newest, drop := p.fails[len(p.fails)-1].at, max(0, len(p.fails)-maxFailTimes)
	for p.fails[drop].at < newest-day {
		drop++
	}
	p.fails = slices.Delete(p.fails, 0, drop)
}

// since counts the failures since then.
func (p *guesses) since(then int64) int {
	n := 0
	for i := range p.fails {
		if p.fails[i].at >= then {
			n++
		}
	}
	return n
}

// before counts the failures since then that a login of who follows, and gives the time of the first. Those of the same user count
// always, those of others only for a user who was not let in before: a list of names and passwords ends with a name of its own, while the
// owner of an account who makes no mistake guesses nothing by using it.
func (p *guesses) before(who string, then int64) (n int, first int64) {
	known := slices.Contains(p.known, who)
	for i := range p.fails {
		f := &p.fails[i]
		if f.excused || f.at < then || f.who != who && known {
			continue
		}
		if n == 0 {
			first = f.at
		}
		n++
	}
	return n, first
}

// letIn remembers who was let in.
func (p *guesses) letIn(who string) {
	p.known = slices.DeleteFunc(p.known, func(k string) bool { return k == who })
	if len(p.known) >= maxKnown {
		p.known = slices.Delete(p.known, 0, 1)
	}
	p.known = append(p.known, who)
}

// excuse takes back the failures of a user who was let in after all, and gives their times: they were mistakes. Where the user
// is not known only those of the same session are certainly his. The others still count as failures, so that nobody guesses unnoticed
// by logging in to an account of his own in between.
func (p *guesses) excuse(in login, session uint64) (times []int64) {
	who := in.who()
	p.fails = slices.DeleteFunc(p.fails, func(f failure) bool {
		if f.who != who {
			return false
		}
		gone := in.hint != "" || f.session == session
		if gone {
			times = append(times, f.at)
		}
		return gone
	})
	for i := range p.fails {
		if p.fails[i].who == who {
			p.fails[i].excused = true
		}
	}
	switch {
	case len(p.fails) == 0:
		p.tally = tally{}
	case len(times) > 0:
		p.first = p.fails[0].at
		p.lower(len(times))
	}
	return times
}

// excuse takes back the failures of one source at these times; all says that it has no others.
func (t *guessed) excuse(from packet.Addr, times []int64, all bool) {
	for _, at := range times {
		if i := slices.Index(t.times, at); i >= 0 {
			t.times = slices.Delete(t.times, i, i+1)
		}
	}
	if all {
		t.hits = slices.DeleteFunc(t.hits, func(x hit) bool { return x.from == from })
	}
	t.sum = max(0, t.sum-float64(len(times)))
	t.lower(len(times))
}

// succeeded looks at a login: after a row of failures of the same source the password was guessed, after fewer its user made a mistake.
func (b *bruteForce) succeeded(e *Event, c *Context, in login) {
	source := e.Session.Initiator.Addr
	p := b.pairs.put(guessPair{source, e.Responder.ID}, c.Now)
	n, first := p.before(in.who(), c.Now-day)
	if n >= b.p.BeforeSuccess {
		c.Emit(b.guessedFinding(e, c, in, n, first, b.misconfigured(e, p)))
		p.fails, p.tally = nil, tally{}
	}
	p.letIn(in.who())
	if len(p.fails) == 0 {
		return
	}
	times := p.excuse(in, e.Session.ID)
	if t := b.targets.get(e.Responder.ID, c.Now); t != nil && len(times) > 0 {
		t.excuse(source, times, len(p.fails) == 0)
	}
}

// guessedFinding tells of a login that follows failures of the same source. Three mistakes of a colleague look the same, so from inside
// it is critical only on a device that should be silent, or after many failures.
func (b *bruteForce) guessedFinding(e *Event, c *Context, in login, failures int, first int64, regular bool) *Finding {
	f := c.on(b.Rule(), e, session.In)
	x, source := c.Contracts.Expect(e.Responder, c.Now)
	f.Severity = Medium
	switch {
	case regular:
		f.Severity = Low
	case f.Peer.External, strict(x, source) && x >= contract.ServerOnly, failures >= b.p.Failures:
		f.Severity = Critical
	}
	f.Key, f.Stage, f.Reliability = "guessed "+f.Peer.IP, StageLogin, 0.95
	who, from, by := f.self(), f.other(), name{in.protocol, in.protocol}
	f.Start, f.End = c.Now, max(f.End, c.Now) // of the login: the failures before it are the guessing
	f.Brief = "taken over from " + from.brief() + " by " + in.protocol
	f.Title = headline("%s guessed a password of %s by %s", from, who, by)
	f.Message = fmt.Sprintf("Expected: nobody logs in to %s after many failures. Seen: at %s %s logged in by %s, after %s within %s.",
		who.full, clock(c.Now), from.full, in.protocol, Plural(failures, "failure", "failures"), span(c.Now-first))
	f.Reasons = append([]Reason{{Code: "success_after_failures", Text: "success after " + Plural(failures, "failure", "failures"), Weight: 0.6}},
		loginReasons(in, f.Peer.External)...)
	f.Evidence = []Evidence{{Kind: "login", Summary: "accepted after " + Plural(failures, "failure", "failures"), Data: map[string]any{
		"failures": failures, "protocol": in.protocol, "inferred": in.inferred}}}
	f.Recommendation = Advice("D09 guessed", f.Device)
	return f
}
