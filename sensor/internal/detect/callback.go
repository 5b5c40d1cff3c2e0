// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(callbackRule)

// callbackRule registers D06.
var callbackRule = register(registration{
	Rule: Rule{
		ID: "D06", Name: "Persistent failed callback", Kind: "failed_callback", Version: 1, Reliability: 0.8,
		Attack: join(enterprise(taCommand, "T1008", "T1571"), ics(icsCommand, "T0869")),
	},
	titleOrder: 6,
	advice: map[string]steps{
		"": {
			"Find out what the address is: a server that was switched off, or a known control server.",
			"{inspect}",
			"If it is a control server: {then contain}",
		},
	},
}, DefaultCallbackParams, newCallback)

// CallbackParams are the parameters of D06.
type CallbackParams struct {
	Attempts       int     `yaml:"attempts"`        // failed attempts to one destination and port
	WindowSeconds  int     `yaml:"window_seconds"`  // time within which they count
	Hours          int     `yaml:"hours"`           // or: distinct hours with a failed attempt, within a week
	HourlyFailures int     `yaml:"hourly_failures"` // or: failed attempts within an hour, although others were answered
	FailedShare    float64 `yaml:"failed_share"`    // share of failed attempts that hourly_failures needs
	MaxTargets     int     `yaml:"max_targets"`     // pairs of device and destination followed
}

// DefaultCallbackParams returns the defaults of D06.
func DefaultCallbackParams() CallbackParams {
	return CallbackParams{Attempts: 5, WindowSeconds: 600, Hours: 3, HourlyFailures: 20, FailedShare: 0.25, MaxTargets: 100_000}
}

// callback is D06: a device keeps trying to reach a port that does not answer, as malware does whose control server is gone. A test
// for regular intervals misses it, because there is no session to time.
type callback struct {
	p     CallbackParams
	pairs *table[target, callbackState]
}

type target struct {
	device uint32
	addr   packet.Addr
	port   uint16
}

type callbackState struct {
	times    []int64 // starts of failed sessions within the window, rising
	hours    []int64 // distinct hours since the epoch, rising, at most Hours
	fails    int     // since first
	reported int     // fails at the last report
	refuse   int     // how many of fails were refused
	first    int64

	hour             int64 // since the epoch
	failed, answered int   // attempts within it
}

func newCallback(p CallbackParams) *callback {
	return &callback{p: p, pairs: newTable[target, callbackState](p.MaxTargets)}
}

func (k *callback) Rule() Rule { return callbackRule.Rule }

func (k *callback) Kinds() []Kind { return []Kind{SessionState, SessionEnded} }

func (k *callback) setParams(p CallbackParams) {
	k.p = p
	k.pairs.limit(p.MaxTargets)
}

func (k *callback) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{k.pairs.part("D06.pairs/2", func(c *snapshot.Codec, t *target) {
		deviceKey(c, &t.device)
		addrKey(c, &t.addr)
		snapshot.Number(c, &t.port)
	}, func(c *snapshot.Codec, s *callbackState) {
		times(c, &s.times)
		times(c, &s.hours)
		c.Int(&s.fails)
		c.Int(&s.reported)
		c.Int(&s.refuse)
		c.Time(&s.first)
		c.Time(&s.hour)
		c.Int(&s.failed)
		c.Int(&s.answered)
	})}
}

func (b *callback) evictions() uint64 { return b.pairs.evicted() }

func (k *callback) Tick(now int64, c *Context) { k.pairs.expire(now - 7*day) }

func (k *callback) Observe(e *Event, c *Context) {
	if e.Initiator == nil {
		return
	}
	v := e.Session
	if v.Proto != protoTCP || v.Basis != session.BasisSYN || !v.Opened() || v.ToGroup() {
		return
	}
	t := target{e.Initiator.ID, v.Responder.Addr, v.Responder.Port}
	switch {
	case v.Answered():
		if v.State == session.Established {
			k.answered(c, t)
		}
	case c.failed(e):
		k.failed(e, c, t)
	}
}

// answered takes away one failure within the window. A server that answers only half of the calls may still be a control server that
// filters its callers.
func (k *callback) answered(c *Context, t target) {
	s := k.pairs.get(t, c.Now)
	if s == nil {
		return
	}
	s.hours = nil
	if len(s.times) > 0 {
		s.times = s.times[1:]
	}
	if s.count(c.Now).answered++; len(s.times) == 0 && s.failed == 0 {
		k.pairs.drop(t)
	}
}

// count returns s with the counts of the hour of now.
func (s *callbackState) count(now int64) *callbackState {
	if h := now / hour; h != s.hour {
		s.hour, s.failed, s.answered = h, 0, 0
	}
	return s
}

func (k *callback) failed(e *Event, c *Context, t target) {
	s := k.pairs.put(t, c.Now)
	s.count(c.Now).failed++
	at := e.Session.Start
	if s.fails == 0 || at < s.first {
		s.first = at
	}
	s.fails++
	if e.Session.State == session.Rejected {
		s.refuse++
	}
	s.times = insertTime(s.times, at, int64(k.p.WindowSeconds)*second, max(k.p.Attempts, 1))
	if h := at / hour; len(s.hours) < k.p.Hours && (len(s.hours) == 0 || h > s.hours[len(s.hours)-1]) {
		s.hours = append(s.hours, h)
	}
	often := s.failed >= k.p.HourlyFailures && float64(s.failed) >= k.p.FailedShare*float64(s.failed+s.answered)
	if len(s.times) < k.p.Attempts && len(s.hours) < k.p.Hours && !often {
		return
	}
	v := c.verdict(e)
	if v.Infrastructure || v.Entry != "" {
		return
	}
	f := k.finding(e, c, s, v)
	f.Count, s.reported = max(s.fails-s.reported, 1), s.fails
	c.Emit(f)
}

func (k *callback) finding(e *Event, c *Context, s *callbackState, v contract.Verdict) *Finding {
	f := c.sessionFinding(k.Rule(), e, session.Out)
	x, source := c.Contracts.Expect(e.Initiator, c.Now)
	f.Key = serviceKey(addr(&e.Session.Responder, e.Session.V6), e.Session)
	f.Start, f.Stage, f.Maintenance = s.first, StageOutbound, v.Maintenance
	f.Severity = k.severity(f.Peer, x, source)
	if !v.Allowed {
		f.Broken = Clean(v.Broken, 300)
	}
	who, attempts := f.self(), Plural(s.fails, "attempt", "attempts")
	f.Total, f.Brief = s.fails, "keeps calling "+f.Peer.at().brief()
	without, also := "without success", ""
	if s.answered > 0 {
		without, also = "mostly without success", "; others were answered"
		if s.answered > s.failed {
			without = "often without success"
		}
	}
	f.Title = headline("%s keeps calling %s "+without, who, f.Peer.at())
	f.Message = fmt.Sprintf("Expected: %s %s. Seen: since %s, %s to open %s to %s failed: %d refused, %d not answered%s.",
		who.full, expectation(x, source), clock(s.first), attempts, service(e), f.other().full, s.refuse, s.fails-s.refuse, also)
	f.Reasons = []Reason{{Code: "failed_attempts", Text: fmt.Sprintf("%s to one port since %s", Plural(s.fails, "failed attempt", "failed attempts"), clock(s.first)), Weight: 0.5}}
	if f.Peer.Name == "" {
		f.Reasons = append(f.Reasons, Reason{Code: "no_name", Text: "the device did not look up the address by name", Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("a recorder, a printer or a cloud service that the device uses is switched off"))
	f.Evidence = []Evidence{{Kind: "attempts", Summary: fmt.Sprintf("%s, %d refused", Plural(s.fails, "attempt", "attempts"), s.refuse),
		Data: map[string]any{"attempts": s.fails, "refused": s.refuse, "hours": len(s.hours)}}}
	f.Recommendation = callbackRule.advise("", f.Device)
	return f
}

// severity is high where silence is expected. Elsewhere a dead cloud service looks the same: medium for an external address that was
// never looked up by name, low otherwise.
func (k *callback) severity(p *Peer, x contract.Expect, source string) Severity {
	switch {
	case strict(x, source):
		return High
	case p.External && p.Name == "", x >= contract.ServerOnly:
		return Medium
	}
	return Low
}
