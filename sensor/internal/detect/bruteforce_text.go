// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/session"
)

var guessKinds = map[string]string{
	"fast":        "one source, many failures in a short time",
	"slow":        "few failures an hour, but for a long time",
	"distributed": "many sources, a few failures each",
}

func (b *bruteForce) guessingFinding(e *Event, c *Context, in login, t *counter, how string) *Finding {
	f := c.sessionFinding(b.Rule(), e, session.In)
	f.Key, f.Stage, f.Start = "guessing "+f.Peer.IP, StageGuessed, t.first
	if how == "distributed" || how == "slow" {
		f.Key = "guessing " + how
		f.Entities = append(f.Entities, ipEntities(t.peers)...)
	}
	x, source := c.Contracts.Expect(e.Responder, c.Now)
	f.Severity = Medium
	if strict(x, source) && (x >= contract.ServerOnly || f.Peer.External) {
		f.Severity = High
	}
	f.Total, f.Count = t.count, t.take()
	who, from, by := f.self(), f.other(), name{in.protocol, in.protocol}
	failed := Plural(t.count, "failed login", "failed logins")
	f.Brief = "attacked from " + from.brief() + " by " + in.protocol
	f.Title = headline("%s is guessing passwords of %s by %s", from, who, by)
	if how == "distributed" || how == "slow" {
		f.Brief, f.Title = "attacked by password guessing", headline("Hosts are guessing passwords of %s by %s", who, by)
	}
	f.Message = fmt.Sprintf("Expected: a login to %s fails now and then. Seen: %s since %s, the last from %s by %s (%s).",
		who.full, failed, clock(t.first), from.full, in.protocol, guessKinds[how])
	f.Reasons = []Reason{{Code: how, Text: guessKinds[how], Weight: 0.5},
		benign("one of your own recorders or scripts has an old password")}
	f.Evidence = []Evidence{{Kind: "failures", Summary: failed, Data: map[string]any{
		"failures": t.count, "protocol": in.protocol, "inferred": in.inferred}}}
	f.Recommendation = bruteForceRule.advise("", f.Device)
	return f
}

func (b *bruteForce) misconfigFinding(e *Event, c *Context, in login, p *pairFailures) *Finding {
	f := b.guessingFinding(e, c, in, &p.counter, "fast")
	mean, _ := gaps(p.fails)
	f.Key, f.Severity, f.Stage, f.Reliability = "misconfiguration "+f.Peer.IP, Low, StageNone, 0.1
	f.Title, f.Brief = headline("%s logs in to %s with a wrong password", f.other(), f.self()), ""
	f.Reasons = []Reason{{Code: "misconfiguration", Text: "one source and one user name, at even intervals of " + span(int64(mean)), Weight: -0.4},
		benign("the password was changed on one side only")}
	f.Recommendation = bruteForceRule.advise("misconfiguration", f.Device)
	return f
}

// sprayFinding is about the source if it is a device, else about the target that was tried first.
func (b *bruteForce) sprayFinding(e *Event, c *Context, in login, s *sourceLogins) *Finding {
	f := c.sessionFinding(b.Rule(), e, session.In)
	who, fails := f.other(), Plural(s.count, "failed login", "failed logins")
	f.Key, f.Stage, f.Severity, f.Start, f.Count = "spray "+f.Peer.IP, StageGuessed, Medium, s.first, s.take()
	f.Total, f.Peers = s.count, slices.Clone(s.peers)
	f.Device = s.device
	if e.Initiator != nil {
		f.Device, f.DeviceAddr, f.Stage = e.Initiator, addr(&e.Session.Initiator, e.Session.V6), StageFanOut
		if !in.inferred { // many inferences may be wrong in one and the same way
			f.Severity = High
		}
		f.Peer = nil
	} else if e.Responder != s.device {
		f.DeviceAddr = s.device.IP()
	}
	f.Brief = "guesses passwords of other devices"
	f.Title = headline("%s is guessing passwords of many devices", who)
	f.Message = fmt.Sprintf("Expected: %s logs in only to devices that it manages. Seen: since %s %s on %s, the last by %s.",
		who.full, clock(s.first), fails, listing(s.peers, 8), in.protocol)
	f.Reasons = []Reason{{Code: "spray", Text: fmt.Sprintf("failures on %d targets within an hour", len(s.targets)), Weight: 0.6},
		benign("a management system was given a new password that the devices do not have yet")}
	f.Entities = append(entities(f), ipEntities(s.peers)...)
	f.Recommendation = bruteForceRule.advise("spray", f.Device)
	return f
}

// guessedFinding reports a login that follows failures of the same source. Three typing errors of a colleague look the same, so an
// internal source is critical only on a device that should be silent, or after many failures.
func (b *bruteForce) guessedFinding(e *Event, c *Context, in login, failures int, first int64, regular bool) *Finding {
	f := c.sessionFinding(b.Rule(), e, session.In)
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
	f.Brief = "taken over from " + from.brief() + " by " + in.protocol + AfterGuesses + Plural(failures, "guess", "guesses")
	f.Title = headline("%s guessed a password of %s by %s", from, who, by)
	f.Message = fmt.Sprintf("Expected: nobody logs in to %s after many failures. Seen: at %s %s logged in by %s, after %s within %s.",
		who.full, clock(c.Now), from.full, in.protocol, Plural(failures, "failure", "failures"), span(c.Now-first))
	f.Reasons = append([]Reason{{Code: "success_after_failures", Text: "success after " + Plural(failures, "failure", "failures"), Weight: 0.6}},
		loginReasons(in, f.Peer.External)...)
	f.Evidence = []Evidence{{Kind: "login", Summary: "accepted after " + Plural(failures, "failure", "failures"), Data: map[string]any{
		"failures": failures, "protocol": in.protocol, "inferred": in.inferred}}}
	f.Recommendation = bruteForceRule.advise("guessed", f.Device)
	return f
}
