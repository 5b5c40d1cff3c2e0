// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// month is how long an alert about the credentials of a device stays one alert.
const month = 30 * day

var _ = add(cleartextRule)

// cleartextRule registers D26.
var cleartextRule = register(registration{
	Rule: Rule{
		ID: "D26", Name: "Cleartext credentials", Kind: "cleartext_credentials", Version: 1, Reliability: 0.3,
		Attack: join(enterprise(taCredentials, "T1040", "T1552"), ics(icsDiscovery, "T0842")),
	},
	advice: map[string]steps{
		"": {
			"Set up the encrypted form of the protocol on both sides: HTTPS, SSH, SFTP, SNMP 3, TLS.",
			"Change the password afterwards: all who could read the traffic know it.",
			"If the device cannot encrypt, allow the protocol from its management network only.",
		},
	},
}, DefaultCleartextParams, newCleartext)

// CleartextParams are the parameters of D26.
type CleartextParams struct {
	ExternalOnly bool `yaml:"external_only"` // report only logins with one side outside the network
	MaxLogins    int  `yaml:"max_logins"`    // devices with their protocols that are kept
}

// DefaultCleartextParams returns the defaults of D26.
func DefaultCleartextParams() CleartextParams { return CleartextParams{MaxLogins: 50_000} }

// cleartext is D26: a password, or what serves as one, crossed the network in clear text and was accepted. Everybody who sees the traffic can log in.
type cleartext struct {
	p    CleartextParams
	uses *table[loginUse, counter] `snapshot:"logins"`
}

// loginUse is how a device is logged in to, or logs in elsewhere.
type loginUse struct {
	device   uint32
	protocol string
	out      bool // the device is the client
	external bool // the other side is outside the network
}

func walkLoginUse(c *snapshot.Codec, k *loginUse) {
	deviceKey(c, &k.device)
	c.String(&k.protocol)
	c.Bool(&k.out)
	c.Bool(&k.external)
}

// key is the key of the findings: "ftp from inside", "http to outside".
func (k *loginUse) key() string {
	return k.protocol + map[bool]string{false: " from", true: " to"}[k.out] + map[bool]string{false: " inside", true: " outside"}[k.external]
}

func newCleartext(p CleartextParams) *cleartext {
	return &cleartext{p: p, uses: newTable[loginUse, counter](p.MaxLogins)}
}

func (x *cleartext) Rule() Rule { return cleartextRule.Rule }

func (x *cleartext) Kinds() []Kind { return []Kind{SessionFact} }

func (x *cleartext) setParams(p CleartextParams) {
	x.p = p
	x.uses.limit(p.MaxLogins)
}

func (x *cleartext) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{x.uses.part("D26.logins/1", walkLoginUse, walkCounter)}
}

func (x *cleartext) evictions() uint64 { return x.uses.evicted() }

func (x *cleartext) Tick(now int64, c *Context) { x.uses.expire(now - month) }

// Observe looks at logins that were accepted: a wrong guess discloses nothing. The result of a login form is not known; it counts unless the
// server refused it.
func (x *cleartext) Observe(e *Event, c *Context) {
	in, ok := loginOf(e.Fact)
	if f, is := e.Fact.(*dissect.HTTPExchange); is && f.AuthScheme == "form" && f.Status >= 200 && f.Status < 400 {
		ok, in.result = true, dissect.OutcomeSuccess
	}
	if !ok || !in.clear || in.result != dissect.OutcomeSuccess {
		return
	}
	use, ok := c.loginUse(e, in.protocol)
	if !ok || x.p.ExternalOnly && !use.external {
		return
	}
	n := x.uses.put(use, c.Now)
	n.begin(c.Now, month)
	if n.add(c.Now) {
		c.Emit(x.finding(e, c, use, n))
	}
}

// loginUse tells which device a login is about: the one that is logged in to, or the client if the server is outside.
func (c *Context) loginUse(e *Event, protocol string) (use loginUse, ok bool) {
	v := e.Session
	use = loginUse{protocol: protocol}
	switch {
	case e.Responder != nil:
		use.device, use.external = e.Responder.ID, c.external(e.Initiator, addr(&v.Initiator, v.V6))
	case e.Initiator != nil:
		use.device, use.out, use.external = e.Initiator.ID, true, c.external(nil, addr(&v.Responder, v.V6))
	default:
		return use, false
	}
	return use, true
}

// loginFinding begins a finding about the credentials of a device.
func (c *Context) loginFinding(r Rule, e *Event, use loginUse, n *counter) *Finding {
	dir := session.In
	if use.out {
		dir = session.Out
	}
	f := c.sessionFinding(r, e, dir)
	f.Key, f.WindowS, f.Standing = use.key(), month/second, true
	f.Start, f.End, f.Total, f.Count = n.first, max(f.End, c.Now), n.count, n.take()
	return f
}

func (x *cleartext) finding(e *Event, c *Context, use loginUse, n *counter) *Finding {
	f := c.loginFinding(x.Rule(), e, use, n)
	f.Severity = Medium
	who, times := f.self(), Plural(n.count, "time", "times")
	what := "password"
	if use.protocol == "snmp" {
		what = "community"
	}
	verb, toward := "accepts a "+what, "from"
	f.Title = headline("%s accepts a "+what+" in clear text by "+use.protocol, who)
	if use.out {
		verb, toward = "sends a "+what, "to"
		f.Title = headline("%s sends a "+what+" in clear text to %s by "+use.protocol, who, f.other())
	}
	f.Message = fmt.Sprintf("Expected: %s uses encryption where a %s is sent. Seen: it %s in clear text by %s, %s since %s, the last time on %s %s %s.",
		who.full, what, verb, use.protocol, times, clock(n.first), portName(e), toward, f.other().full)
	f.Reasons = []Reason{{Code: "in_clear", Text: "all who can read the traffic can read the " + what, Weight: 0.3}}
	if use.external {
		f.Reasons = append(f.Reasons, Reason{Code: "external_peer", Text: "it crossed the border of the network", Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("only trusted hosts can read the traffic between the two, or the account protects nothing"))
	f.Evidence = []Evidence{{Kind: "login", Summary: "accepted " + times + " in clear text by " + use.protocol,
		Data: map[string]any{"protocol": use.protocol, "in_clear": true, "times": n.count}}}
	f.Recommendation = cleartextRule.advise("", f.Device)
	return f
}
