// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/session"
)

var guessKinds = map[string]string{
	"fast":        "one source tries one password after another",
	"slow":        "failures come slowly, but go on and on",
	"distributed": "many sources fail on one target, each a few times",
}

func (b *bruteForce) guessing(e *Event, c *Context, in login, t *tally, how string) *Finding {
	f := c.on(b.Rule(), e, session.In)
	f.Key, f.Stage, f.Start = "guessing "+f.Peer.IP, StageGuessed, t.first
	if how == "distributed" || how == "slow" {
		f.Key = "guessing " + how
		f.Entities = append(f.Entities, ipEntities(t.peers)...)
	}
	x, source := c.Book.Expect(e.Responder, c.Now)
	f.Severity = Medium
	if strict(x, source) && (x >= contract.ServerOnly || f.Peer.External) {
		f.Severity = High
	}
	f.Count = t.take()
	d := e.who(session.In)
	f.Title = fmt.Sprintf("Passwords of %s are guessed over %s", d, in.protocol)
	f.Message = fmt.Sprintf("Expected of %s: a failed login now and then. Seen: %d failed logins over %s since %s, the last from %s (%s).",
		d, t.count, in.protocol, clock(t.first), peerLabel(f.Peer), guessKinds[how])
	f.Reasons = []Reason{{Code: how, Text: guessKinds[how], Weight: 0.5},
		benign("a recorder or a script of yours has a wrong or an old password")}
	f.Evidence = []Evidence{{Kind: "failures", Summary: fmt.Sprintf("%d failed logins", t.count), Data: map[string]any{
		"failures": t.count, "protocol": in.protocol, "inferred": in.inferred}}}
	f.Recommendation = "Block the source; check that the device locks out after failures and has no default password."
	return f
}

func (b *bruteForce) misconfig(e *Event, c *Context, in login, p *guesses) *Finding {
	f := b.guessing(e, c, in, &p.tally, "fast")
	mean, _ := gaps(p.times)
	f.Key, f.Severity, f.Stage, f.Reliability = "misconfiguration "+f.Peer.IP, Low, StageNone, 0.1
	f.Title = fmt.Sprintf("%s logs in to %s with a wrong password", peerLabel(f.Peer), e.who(session.In))
	f.Reasons = []Reason{{Code: "misconfiguration", Text: fmt.Sprintf("one source, one user name, evenly every %s", span(int64(mean))), Weight: -0.4},
		benign("the password was changed on one side only")}
	f.Recommendation = "Set the right password on the device that logs in."
	return f
}

// sprayFinding is about the source if it is ours, else about the target that it tried first.
func (b *bruteForce) sprayFinding(e *Event, c *Context, in login, s *sprayer) *Finding {
	f := c.on(b.Rule(), e, session.In)
	who := peerLabel(f.Peer)
	f.Key, f.Stage, f.Severity, f.Start, f.Count = "spray "+f.Peer.IP, StageGuessed, Medium, s.first, s.take()
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
	f.Title = fmt.Sprintf("%s tries passwords on %d devices", who, len(s.targets))
	f.Message = fmt.Sprintf("Expected: a host logs in to the devices that it manages. Seen: since %s, %s failed %d times over %s on %s.",
		clock(s.first), who, s.count, in.protocol, listing(s.peers, 8))
	f.Reasons = []Reason{{Code: "spray", Text: fmt.Sprintf("failures on %d targets within an hour", len(s.targets)), Weight: 0.6},
		benign("a management system was given a new password that the devices do not have yet")}
	f.Entities = append(entities(f), ipEntities(s.peers)...)
	f.Recommendation = "Find out what runs on the source; change the passwords that are the same on many devices."
	return f
}
