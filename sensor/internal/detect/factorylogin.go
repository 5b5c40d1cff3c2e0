// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(factoryLoginRule)

// factoryLoginRule registers D27.
var factoryLoginRule = register(registration{
	Rule: Rule{
		ID: "D27", Name: "Default credentials", Kind: "default_credentials", Version: 1, Reliability: 0.6,
		Attack: join(enterprise(taInitialAccess, "T1078.001"), ics(icsLateral, "T0812")),
	},
	titleOrder: 10,
	advice: map[string]steps{
		"": {
			"Change the password of the account, and of every device that was set up the same way.",
			"Check that nobody but its administrators has logged in with it: look for logins from other addresses.",
			"{inspect}",
		},
		"unset": {
			"Set a password on the device, from a network that nobody else can reach.",
			"Check its settings: anybody who reaches it can become its administrator.",
			"If nobody needs the device, disconnect it.",
		},
	},
}, DefaultFactoryLoginParams, newFactoryLogin)

// FactoryLoginParams are the parameters of D27.
type FactoryLoginParams struct {
	NotActivated bool `yaml:"not_activated"` // also report devices that say that they have no password yet
	MaxLogins    int  `yaml:"max_logins"`    // devices with their protocols that are kept
}

// DefaultFactoryLoginParams returns the defaults of D27.
func DefaultFactoryLoginParams() FactoryLoginParams {
	return FactoryLoginParams{NotActivated: true, MaxLogins: 50_000}
}

// factoryLogin is D27: a device accepts a password that its vendor published, or has none yet. The dissectors compare the password, or compute
// the proof of it again, and pass on the result only.
type factoryLogin struct {
	p    FactoryLoginParams
	uses *table[loginUse, counter] `snapshot:"logins"`
}

func newFactoryLogin(p FactoryLoginParams) *factoryLogin {
	return &factoryLogin{p: p, uses: newTable[loginUse, counter](p.MaxLogins)}
}

func (x *factoryLogin) Rule() Rule { return factoryLoginRule.Rule }

func (x *factoryLogin) Kinds() []Kind { return []Kind{SessionFact} }

func (x *factoryLogin) setParams(p FactoryLoginParams) {
	x.p = p
	x.uses.limit(p.MaxLogins)
}

func (x *factoryLogin) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{x.uses.part("D27.logins/1", walkLoginUse, walkCounter)}
}

func (x *factoryLogin) evictions() uint64 { return x.uses.evicted() }

func (x *factoryLogin) Tick(now int64, c *Context) { x.uses.expire(now - month) }

// Observe looks at accepted logins to watched devices, and at what devices say about themselves. Guesses that failed are D09's.
func (x *factoryLogin) Observe(e *Event, c *Context) {
	if info, ok := e.Fact.(*dissect.DeviceInfo); ok {
		x.unset(e, c, info)
		return
	}
	in, ok := loginOf(e.Fact)
	if !ok || !in.defaults || in.result != dissect.OutcomeSuccess || e.Responder == nil {
		return
	}
	use, _ := c.loginUse(e, in.protocol)
	if n := x.count(use, c); n != nil {
		c.Emit(x.finding(e, c, use, n))
	}
}

// count counts an observation and returns its counter if a report is due, else nil.
func (x *factoryLogin) count(use loginUse, c *Context) *counter {
	n := x.uses.put(use, c.Now)
	n.begin(c.Now, month)
	if n.add(c.Now) {
		return n
	}
	return nil
}

func (x *factoryLogin) finding(e *Event, c *Context, use loginUse, n *counter) *Finding {
	f := c.loginFinding(x.Rule(), e, use, n)
	who, times := f.self(), Plural(n.count, "time", "times")
	what, pair := "password", "a well-known default name and password"
	if f.Severity = High; !use.external {
		f.Severity = Medium // the owner may be setting it up
		if x, source := c.Contracts.Expect(f.Device, c.Now); strict(x, source) && use.protocol != "snmp" {
			f.Severity = High
		}
	}
	if use.protocol == "snmp" {
		what, pair = "community", "a well-known default community"
	}
	f.Brief = "accepts a default " + what
	f.Title = headline("%s accepts a default "+what+" by "+use.protocol, who)
	f.Message = fmt.Sprintf("Expected: the %s of %s was changed when it was set up. Seen: since %s it accepted %s %s by %s, the last time on %s from %s.",
		what, who.full, clock(n.first), pair, times, use.protocol, portName(e), f.other().full)
	f.Reasons = []Reason{{Code: "default_credentials", Text: "the device accepted " + pair, Weight: 0.6}}
	if use.external {
		f.Reasons = append(f.Reasons, Reason{Code: "external_peer", Text: "the login came from outside the network", Weight: 0.3})
	}
	f.Reasons = append(f.Reasons, benign("the device is a decoy, or it protects nothing and can reach nothing"))
	f.Evidence = []Evidence{{Kind: "login", Summary: "accepted " + pair + " " + times,
		Data: map[string]any{"protocol": use.protocol, "default_credentials": true, "times": n.count}}}
	f.Recommendation = factoryLoginRule.advise("", f.Device)
	return f
}

// unset reports a device that says that it has no password yet, as new cameras and recorders do (SADP, DHIP).
func (x *factoryLogin) unset(e *Event, c *Context, info *dissect.DeviceInfo) {
	d, dir := e.Initiator, session.Out
	if e.FactDir == session.In {
		d, dir = e.Responder, session.In
	}
	if !x.p.NotActivated || info.Activated != dissect.OutcomeFailure || d == nil || info.IP.IsValid() && c.Devices.ByIP(info.IP) != d {
		return
	}
	n := x.count(loginUse{device: d.ID, protocol: info.Protocol, out: true}, c)
	if n == nil {
		return
	}
	f := c.sessionFinding(x.Rule(), e, dir)
	f.Key, f.WindowS, f.Standing, f.Severity, f.Reliability = "no password, by "+Clean(info.Protocol, 20), month/second, true, Medium, 0.3
	f.Start, f.End, f.Total, f.Count = n.first, max(f.End, c.Now), n.count, n.take()
	who, times := f.self(), Plural(n.count, "time", "times")
	f.Title = headline("%s has no password yet", who)
	f.Message = fmt.Sprintf("Expected: a password was set on %s before it was connected. Seen: since %s it said %s by %s that it has none.",
		who.full, clock(n.first), times, Clean(info.Protocol, 20))
	f.Reasons = []Reason{{Code: "not_activated", Text: "anybody who reaches the device can set its password", Weight: 0.4},
		benign("it is being set up right now")}
	f.Evidence = []Evidence{{Kind: "activation", Summary: "said " + times + " that it has no password", Data: map[string]any{"protocol": info.Protocol, "activated": false}}}
	f.Recommendation = factoryLoginRule.advise("unset", f.Device)
	c.Emit(f)
}
