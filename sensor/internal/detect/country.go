// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/enrich"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(countryRule)

// countryRule registers D04.
var countryRule = register(registration{
	Rule: Rule{
		ID: "D04", Name: "New country", Kind: "new_country", Version: 1, Reliability: 0.2,
		Attack: join(enterprise(taCommand, "T1090"), ics(icsCommand, "T0869")),
	},
	titleOrder: 10,
	advice: map[string]steps{
		"": {
			"Check who operates the address, and whether the vendor or a cloud service of the device uses hosts there.",
			"{inspect}",
			"If nobody expects it: {then contain} If it is expected, approve the destination in the contract of the device.",
		},
	},
}, DefaultCountryParams, newCountry)

// CountryParams are the parameters of D04.
type CountryParams struct {
	RepeatDays   int `yaml:"repeat_days"`   // days after which a country is new again
	GroupDevices int `yaml:"group_devices"` // devices of the same role whose contracts lead to a country, from which on it is only informational
	MaxCountries int `yaml:"max_countries"` // pairs of device and country kept
	MaxSessions  int `yaml:"max_sessions"`  // sessions kept as decided until they end
}

// DefaultCountryParams returns the defaults of D04.
func DefaultCountryParams() CountryParams {
	return CountryParams{RepeatDays: 30, GroupDevices: 3, MaxCountries: 100_000, MaxSessions: 50_000}
}

// country is D04: a device with a learned contract is in contact with a country to which its contract does not lead.
type country struct {
	p       CountryParams
	decided *table[uint64, struct{}] `snapshot:"-"` // sessions
	met     *table[deviceCountry, struct{}]
}

type deviceCountry struct {
	device uint32
	dir    session.Dir
	code   string
}

func newCountry(p CountryParams) *country {
	return &country{p, newTable[uint64, struct{}](p.MaxSessions), newTable[deviceCountry, struct{}](p.MaxCountries)}
}

func (n *country) Rule() Rule { return countryRule.Rule }

func (n *country) Kinds() []Kind {
	return []Kind{SessionState, SessionFact, SessionProgress, SessionEnded}
}

func (n *country) setParams(p CountryParams) {
	n.p = p
	n.decided.limit(p.MaxSessions)
	n.met.limit(p.MaxCountries)
}

func (n *country) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{n.met.part("D04.met/1", func(c *snapshot.Codec, k *deviceCountry) {
		deviceKey(c, &k.device)
		snapshot.Enum(c, &k.dir, session.In)
		c.String(&k.code)
	}, nothing)}
}

func (n *country) evictions() uint64 { return n.decided.evicted() + n.met.evicted() }

func (n *country) Tick(now int64, c *Context) { n.met.expire(now - int64(n.p.RepeatDays)*day) }

func (n *country) Observe(e *Event, c *Context) {
	n.login(e, c)
	k := c.learnedOf(e)
	if k == nil || e.Responder != nil || !k.Alerts() {
		return
	}
	if n.decided.get(e.Session.ID, c.Now) != nil {
		if e.Kind == SessionEnded {
			n.decided.drop(e.Session.ID)
		}
		return
	}
	if !c.identified(e) {
		return
	}
	if e.Kind != SessionEnded {
		n.decided.put(e.Session.ID, c.Now)
	}
	if _, r, _ := c.compare(e, k); r <= contract.Refuses || c.verdict(e).Infrastructure || c.verdict(e).Entry != "" {
		return
	}
	s := Low
	if !c.verdict(e).Allowed {
		s = Medium // D01 reports the session
	}
	n.report(e, c, k, session.Out, s)
}

// login reports a successful login from a new country, which D08 reports as well.
func (n *country) login(e *Event, c *Context) {
	if e.Kind != SessionFact || e.Initiator != nil || e.Responder == nil {
		return
	}
	k := c.Contracts.Learner().EnforcedOf(e.Responder)
	if k == nil || k.Empty() || !k.Alerts() {
		return
	}
	if l, ok := loginOf(e.Fact); !ok || l.result != dissect.OutcomeSuccess {
		return
	}
	if c.inbound(e).Entry == "" {
		n.report(e, c, k, session.In, Medium)
	}
}

func (n *country) report(e *Event, c *Context, k *contract.Learned, dir session.Dir, s Severity) {
	d, far := e.Initiator, addr(&e.Session.Responder, e.Session.V6)
	if dir == session.In {
		d, far = e.Responder, addr(&e.Session.Initiator, e.Session.V6)
	}
	code, date := enrich.Country(far)
	if code == "" || k.Leads(code) {
		return
	}
	m := deviceCountry{d.ID, dir, code}
	known := n.met.get(m, c.Now) != nil
	if n.met.put(m, c.Now); known {
		return
	}
	peers := c.Contracts.Learner().Peers(k.Role, code)
	if peers >= n.p.GroupDevices && s == Low {
		s = Informational
	}
	c.Emit(n.finding(e, c, k, dir, s, code, date, peers))
}

func (n *country) finding(e *Event, c *Context, k *contract.Learned, dir session.Dir, s Severity, code, date string, peers int) *Finding {
	f := c.sessionFinding(n.Rule(), e, dir)
	f.Key, f.Severity, f.Stage = [...]string{"to ", "from "}[dir]+code, s, StageOutbound
	who, to := f.self(), f.other()
	f.Title = headline("%s opens "+service(e)+" to a new country ("+code+"): %s", who, to)
	seen := fmt.Sprintf("it opened %s to %s", service(e), to.full)
	f.Brief = "calls a new country (" + code + ")"
	if f.Peer.FirstContact = true; dir == session.In {
		f.Stage, f.Brief = StageLogin, "is logged in to from a new country ("+code+")"
		f.Title = headline("%s is logged in to from a new country ("+code+"): %s", who, to)
		seen = fmt.Sprintf("%s logged in over %s", to.full, service(e))
	}
	f.Broken = fmt.Sprintf("learned contract (%s): no entry leads to %s", k.State, code)
	f.Message = fmt.Sprintf("Expected: %s stays in the countries of its learned contract. Seen: at %s %s, in %s by the table of %s.",
		who.full, clock(e.Session.Start), seen, code, date)
	f.Reasons = []Reason{{Code: "new_country", Text: "no entry of the learned contract leads to " + code, Weight: 0.3},
		{Code: "peer_group", Text: fmt.Sprintf("contracts of %s that lead there: %d", k.Role.Phrase(), peers), Weight: 0.1},
		benign("the vendor or a cloud service of the device moved; then approve the destination in its contract")}
	f.Evidence = []Evidence{{Kind: "country", Summary: "country " + code, Data: map[string]any{"country": code, "table": date}}}
	f.Recommendation = countryRule.advise("", f.Device)
	return f
}
