// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"time"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(firstContactRule)

// firstContactRule registers D03.
var firstContactRule = register(registration{
	Rule: Rule{
		ID: "D03", Name: "First contact", Kind: "first_contact", Version: 1, Reliability: 0.35,
		Attack: join(enterprise(taCommand, "T1071.001"), ics(icsCommand, "T0869")),
	},
	titleOrder: 9,
	advice: map[string]steps{
		"": {
			"Find out whose name or address the destination is, and whether the device was updated or given a new task.",
			"{inspect}",
			"If nobody expects it: {then contain} If it is expected, approve the entry in the contract of the device.",
		},
	},
}, DefaultFirstContactParams, newFirstContact)

// FirstContactParams are the parameters of D03.
type FirstContactParams struct {
	RepeatDays  int `yaml:"repeat_days"`  // days after which a destination that is still outside the contract is reported again
	MaxContacts int `yaml:"max_contacts"` // pairs of device and destination kept
	MaxSessions int `yaml:"max_sessions"` // sessions kept as decided until they end
}

// DefaultFirstContactParams returns the defaults of D03.
func DefaultFirstContactParams() FirstContactParams {
	return FirstContactParams{RepeatDays: 7, MaxContacts: 100_000, MaxSessions: 50_000}
}

// firstContact is D03: a device with a learned contract opens a session with a destination that is not in it. The destination is a name if the
// device looked one up, so other addresses of the same name are no first contact.
type firstContact struct {
	p       FirstContactParams
	decided *table[uint64, struct{}] `snapshot:"-"` // sessions
	met     *table[destination, reportedContact]
}

// destination is a device and what its contract would say about a session.
type destination struct {
	device uint32
	proto  uint8
	port   uint16
	peer   contract.PeerKey
}

type reportedContact struct {
	at       int64
	severity Severity
}

func newFirstContact(p FirstContactParams) *firstContact {
	return &firstContact{p, newTable[uint64, struct{}](p.MaxSessions), newTable[destination, reportedContact](p.MaxContacts)}
}

func (f *firstContact) Rule() Rule { return firstContactRule.Rule }

func (f *firstContact) Kinds() []Kind {
	return []Kind{SessionState, SessionFact, SessionProgress, SessionEnded}
}

func (f *firstContact) setParams(p FirstContactParams) {
	f.p = p
	f.decided.limit(p.MaxSessions)
	f.met.limit(p.MaxContacts)
}

func (f *firstContact) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{f.met.part("D03.met/1", func(c *snapshot.Codec, k *destination) {
		deviceKey(c, &k.device)
		snapshot.Number(c, &k.proto)
		snapshot.Number(c, &k.port)
		k.peer.Walk(c)
	}, func(c *snapshot.Codec, r *reportedContact) {
		c.Time(&r.at)
		snapshot.Enum(c, &r.severity, Critical)
	})}
}

func (f *firstContact) evictions() uint64 { return f.decided.evicted() + f.met.evicted() }

func (f *firstContact) Tick(now int64, c *Context) { f.met.expire(now - int64(f.p.RepeatDays)*day) }

func (f *firstContact) Observe(e *Event, c *Context) {
	k := c.learnedOf(e)
	if k == nil {
		return
	}
	if f.decided.get(e.Session.ID, c.Now) != nil {
		if e.Kind == SessionEnded {
			f.decided.drop(e.Session.ID)
		}
		return
	}
	if !c.identified(e) {
		return
	}
	if e.Kind != SessionEnded {
		f.decided.put(e.Session.ID, c.Now)
	}
	f.decide(e, c, k)
}

func (f *firstContact) decide(e *Event, c *Context, k *contract.Learned) {
	at, result, near := c.compare(e, k)
	l := c.Contracts.Learner()
	if result == contract.Refuses {
		l.Refuse(k, near)
	}
	if result <= contract.Refuses {
		return
	}
	if v := c.verdict(e); v.Infrastructure || v.Entry != "" || !v.Allowed { // D01 reports what is not allowed
		return
	}
	why := l.Explains(k, e.Initiator, &at, result, c.Now)
	if why != "" || !k.Alerts() {
		l.Propose(k, &at, e.Session, why)
	} else {
		l.Outside(k)
	}
	if !k.Alerts() {
		return
	}
	x := f.finding(e, c, k, &outsider{at.Key, result, near, why})
	m := f.met.put(destination{e.Initiator.ID, at.Proto, at.Port, at.Peer}, c.Now)
	if m.at != 0 && x.Severity <= m.severity && c.Now-m.at < int64(f.p.RepeatDays)*day {
		return
	}
	*m = reportedContact{c.Now, x.Severity}
	c.Emit(x)
}

// outsider is a session outside a contract.
type outsider struct {
	key    contract.Key
	result contract.Result
	near   *contract.LearnedEntry // nil: none
	why    string                 // what explains it, "" if nothing does
}

// severity returns how severe it is that the session is outside its contract.
func (o *outsider) severity(rare bool) Severity {
	s := Medium
	switch r := o.result; {
	case o.why != "" && r != contract.SameDomain:
		return Informational
	case r == contract.SameDomain:
		s = Informational
	case r == contract.OtherPort || r == contract.WasAllowed:
		s = Low
	}
	if rare {
		s++
	}
	return s
}

var resultTexts = map[contract.Result]string{
	contract.OutOfHours:  "an entry allows it at other hours",
	contract.WasAllowed:  "an entry allowed it until it was not used for long",
	contract.OtherPort:   "the destination is known, but not with this protocol and port",
	contract.SameDomain:  "the device knows another name of this domain",
	contract.SameService: "the device knows this protocol and port, but with other destinations",
	contract.Unknown:     "nothing in the contract is near",
}

func (f *firstContact) finding(e *Event, c *Context, k *contract.Learned, o *outsider) *Finding {
	key, r, near := o.key, o.result, o.near
	x := c.sessionFinding(f.Rule(), e, session.Out)
	rare := k.Rare(e.Session.Start)
	x.Key, x.Stage, x.Severity = key.String(), StageOutbound, o.severity(rare)
	x.Peer.FirstContact = r >= contract.SameDomain
	if key.Peer.Kind == contract.ByName && x.Peer.Name == "" {
		x.Peer.Name, x.Peer.NameSource = key.Peer.Text, "dns"
	}
	who, to, what := x.self(), x.other(), service(e)
	x.Brief = "first calls " + to.brief()
	x.Title = headline("%s opens %s to %s for the first time", who, name{what, portName(e)}, to)
	if r < contract.SameDomain {
		x.Title = headline("%s opens %s to %s outside its contract", who, name{what, portName(e)}, to)
	}
	x.Broken = Clean(fmt.Sprintf("learned contract (%s): no entry allows %s; %s", k.State, key, nearest(r, near)), 300)
	x.Message = fmt.Sprintf("Expected: %s stays within its learned contract (%s, %s). Seen: at %s it opened %s to %s; %s.",
		who.full, k.State, plural(len(k.Entries(false)), "one entry", "its entries"), clock(e.Session.Start), what, to.full, nearest(r, near))
	x.Reasons = []Reason{{Code: "outside_contract", Text: resultTexts[r], Weight: 0.4}}
	if o.why != "" {
		x.Reasons = append(x.Reasons, Reason{Code: "drift", Text: Clean("explained by "+o.why+"; the entry is proposed in the contract", 200), Weight: -0.3})
	}
	if rare {
		x.Reasons = append(x.Reasons, Reason{Code: "rare_hour", Text: "the device seldom opens or answers sessions at this hour of the week", Weight: 0.2})
	}
	x.Reasons = append(x.Reasons, benign("the device was updated or has a new task; then approve the entry in its contract"))
	x.Evidence = []Evidence{{Kind: "contract", Summary: nearest(r, near), Data: map[string]any{"state": k.State.String(), "entry": key.String()}}}
	x.Recommendation = firstContactRule.advise("", x.Device)
	return x
}

// nearest names the entry that decided, or that is nearest.
func nearest(r contract.Result, e *contract.LearnedEntry) string {
	switch {
	case e == nil:
		return "no entry is near"
	case r == contract.WasAllowed:
		return fmt.Sprintf("it was allowed until %s by %s", time.Unix(0, e.Last+90*day).UTC().Format(time.DateOnly), e)
	case r == contract.OutOfHours:
		return "at other hours it is allowed by " + e.String()
	}
	return "the nearest entry is " + e.String()
}
