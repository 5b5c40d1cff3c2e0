// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"math"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// burst is a series of short SSH sessions between two hosts whose logins could not be read.
type burst struct {
	counter
	times []int64
}

func walkBurst(c *snapshot.Codec, x *burst) {
	x.counter.walk(c)
	times(c, &x.times)
}

// observeEnd counts SSH sessions that were short and carried little, as those of a program that tries one password after the other do. A login
// that succeeds and is used lasts longer or carries more. Sessions whose outcome was read are counted elsewhere.
func (b *bruteForce) observeEnd(e *Event, c *Context) {
	v := e.Session
	if e.App == nil || e.App.Name != "ssh" || !v.Opened() || e.Initiator == nil && e.Responder == nil && v.Basis != session.BasisSYN {
		return
	}
	k := scanPair{v.Initiator.Addr, v.Responder.Addr}
	if v.End-v.Start >= int64(b.p.BurstSeconds)*second || v.PayloadBytes[0]+v.PayloadBytes[1] >= uint64(b.p.BurstBytes) || v.PayloadBytes[session.In] == 0 {
		return
	}
	if n := b.sessions.get(v.ID, c.Now); n != nil && *n > 0 {
		return
	}
	x := b.bursts.put(k, c.Now)
	x.begin(c.Now, day)
	x.times = insertTime(x.times, v.Start, int64(b.p.WindowSeconds)*second, max(b.p.BurstSessions, 1))
	x.add(v.Start)
	if len(x.times) >= b.p.BurstSessions && grown(&x.counter) {
		c.Emit(b.burstFinding(e, c, x))
	}
}

// burstFinding is about the target, or about nobody if both hosts are outside the watched network.
func (b *bruteForce) burstFinding(e *Event, c *Context, x *burst) *Finding {
	f := c.sessionFinding(b.Rule(), e, session.In)
	f.Key, f.Stage, f.Start, f.Severity, f.Reliability = "sessions "+f.Peer.IP, StageGuessed, x.first, Medium, 0.5
	if e.Initiator != nil && !strict(c.Contracts.Expect(e.Initiator, c.Now)) {
		f.Severity = Low // a monitoring or deployment program of one's own looks the same
	}
	f.Total, f.Count = x.count, x.take()
	who, from, sessions := f.self(), f.other(), Plural(x.count, "short SSH session", "short SSH sessions")
	f.Brief = "attacked from " + from.brief() + " by ssh"
	f.Title = headline("%s is probably guessing passwords of %s by ssh", from, who)
	f.Message = fmt.Sprintf("Expected: SSH sessions to %s are few or long. Seen: since %s %s opened %s on port %d, each under %s and %s; whether they logged in could not be read.",
		who.full, clock(x.first), from.full, sessions, e.Session.Responder.Port, span(int64(b.p.BurstSeconds)*second), size(uint64(b.p.BurstBytes)))
	f.Reasons = []Reason{{Code: "short_sessions", Text: sessions + " of one source", Weight: 0.4}}
	if e.Initiator == nil && e.Responder == nil {
		f.Reasons = append(f.Reasons, Reason{Code: "not_internal", Text: "neither end is internal: if this is your network, declare it with --internal"})
	}
	f.Reasons = append(f.Reasons, benign("a program of your own opens an SSH session for each command"))
	f.Evidence = []Evidence{{Kind: "sessions", Summary: sessions, Data: map[string]any{"sessions": x.count, "protocol": "ssh", "inferred": true}}}
	f.Recommendation = bruteForceRule.advise("", f.Device)
	return f
}

// slowly counts the failures of one source on one target since its last success, over weeks, and reports those that are too few a day for
// the other tests.
func (b *bruteForce) slowly(e *Event, c *Context, in login, p *pairFailures, n int) {
	if p.slow.begin(c.Now, slowMemory) {
		p.slowSince = 0
	}
	if p.slowSince == 0 {
		p.slowSince = c.Now
	}
	for range n {
		p.slow.add(c.Now)
	}
	if p.slow.count < b.p.SlowTotal || c.Now-p.slowSince < 2*day || p.reported > 0 || !grown(&p.slow) {
		return
	}
	f := b.guessingFinding(e, c, in, &p.slow, "slow")
	f.Key = "guessing slowly " + f.Peer.IP
	f.Title = headline("%s is guessing passwords of %s by %s, slowly", f.other(), f.self(), name{in.protocol, in.protocol})
	c.Emit(f)
}

// slowMemory is how long a source has to pause for its slow guessing to be forgotten.
const slowMemory = 14 * day

// sshSuccess reports whether a fact says that an SSH login succeeded.
func sshSuccess(f dissect.Fact) bool {
	a, ok := f.(*dissect.SSHAuth)
	return ok && a.Result == dissect.OutcomeSuccess
}

// gaps returns the mean and the standard deviation of the gaps between failures, in nanoseconds.
func gaps(fails []failure) (mean, dev float64) {
	n := float64(len(fails) - 1)
	if n < 1 {
		return 0, math.Inf(1)
	}
	mean = float64(fails[len(fails)-1].at-fails[0].at) / n
	var sum float64
	for i := 1; i < len(fails); i++ {
		d := float64(fails[i].at-fails[i-1].at) - mean
		sum += d * d
	}
	return mean, math.Sqrt(sum / n)
}
