// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/customrule"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// customReliability is the reliability of the rules of an operator, about which nothing is known.
const customReliability = 0.7

// customRegistration returns the registration of a rule of the operator.
func customRegistration(r *customrule.Rule) *registration {
	return &registration{
		Rule:      customRule(r),
		defaults:  func() any { return r },
		construct: func(any) Detector { return newCustom(r) },
		setParams: func(d Detector, _ any) { d.(*custom).set(r) },
	}
}

// customRule describes a rule of the operator as Rule does the others.
func customRule(r *customrule.Rule) Rule {
	out := Rule{ID: r.ID, Name: Clean(r.Name, 80), Kind: "custom_rule", Version: 1, Reliability: customReliability}
	for _, id := range r.Attack {
		tactic, t, ok := strings.Cut(id, "/")
		if !ok {
			tactic, t = "", id
		}
		domain := "enterprise"
		if strings.HasPrefix(t, "T0") {
			domain = "ics"
		}
		out.Attack = append(out.Attack, Technique{Domain: domain, Tactic: tactic, Technique: t})
	}
	return out
}

// IsCustom reports whether an id is that of a rule of an operator.
func IsCustom(id string) bool { return strings.HasPrefix(id, "C") }

// custom is the detector of one rule of the operator: an expression that is checked at events of one kind.
type custom struct {
	r       *customrule.Rule
	rule    Rule
	sev     Severity
	matches *table[customKey, customMatches]
	stats   CustomStat
}

// CustomStat is what a rule of the operator has done in a run.
type CustomStat struct {
	ID, Name string
	Checked  uint64 // events at which the expression was evaluated
	Matched  uint64
	// The first match: capture clock in nanoseconds, and the names of both ends.
	FirstAt                int64
	FirstDevice, FirstPeer string
}

// customKey is what matches are counted for.
type customKey struct {
	who  caller
	peer packet.Addr // zero: any
	name string      // that was looked up; "": any
}

// customMatches are the matches of one key. Until there are enough for an alert, times has those of the last span.
type customMatches struct {
	times []int64
	counter
}

func newCustom(r *customrule.Rule) *custom {
	x := &custom{matches: newTable[customKey, customMatches](customrule.MaxPairs)}
	x.set(r)
	return x
}

// set makes the detector one of r. If r matches other events than before, what was counted is dropped.
func (x *custom) set(r *customrule.Rule) {
	if old := x.r; old != nil && (old.On != r.On || old.When != r.When || old.PerPair != r.PerPair || old.About != r.About) {
		x.matches.expire(int64(^uint64(0) >> 1))
	}
	x.r, x.rule = r, customRule(r)
	x.sev = Severity(max(slices.Index(config.Severities(), r.Severity), 0))
	x.stats.ID, x.stats.Name = x.rule.ID, x.rule.Name
}

func (x *custom) Rule() Rule { return x.rule }

func (x *custom) Kinds() []Kind {
	switch x.r.On {
	case customrule.Opened:
		return []Kind{SessionOpened}
	case customrule.Answered:
		return []Kind{SessionState}
	case customrule.Ended:
		return []Kind{SessionEnded}
	}
	return []Kind{SessionFact}
}

func (x *custom) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{x.matches.part(x.rule.ID+".matches/1", func(c *snapshot.Codec, k *customKey) {
		k.who.walk(c)
		addrKey(c, &k.peer)
		c.String(&k.name)
	}, func(c *snapshot.Codec, m *customMatches) {
		times(c, &m.times)
		m.walk(c)
	})}
}

func (x *custom) evictions() uint64 { return x.matches.evicted() }

func (x *custom) Tick(now int64, c *Context) { x.matches.expire(now - int64(x.r.Within) - 2*day) }

func (x *custom) Observe(e *Event, c *Context) {
	if !x.concerns(e) {
		return
	}
	dir, ok := x.side(e)
	if !ok {
		return
	}
	x.stats.Checked++
	env := c.customEnv(e, dir, x.r.Needs())
	if !x.r.Match(&env.machine, &env.env) {
		return
	}
	key := x.key(e, dir)
	m := x.matches.put(key, c.Now)
	due := m.match(e.Time, int64(x.r.Within), x.r.Count)
	if x.stats.Matched++; !due && x.stats.Matched > 1 {
		return
	}
	f := c.sessionFinding(x.rule, e, dir)
	if x.stats.Matched == 1 {
		x.stats.FirstAt, x.stats.FirstDevice, x.stats.FirstPeer = e.Time, f.self().short, f.Peer.at().short
	}
	if due {
		x.complete(f, e, c, env, m, key, dir)
		c.Emit(f)
	}
}

// match counts a match and reports whether a report is due: at the first count of them within a span, and then at each doubling.
func (m *customMatches) match(at, span int64, count int) bool {
	m.begin(at, span)
	if m.reported > 0 {
		return m.add(at)
	}
	if m.times = insertTime(m.times, at, span, count); len(m.times) < count {
		m.last = max(m.last, at)
		return false
	}
	m.count, m.first, m.last, m.times = len(m.times), m.times[0], m.times[len(m.times)-1], nil
	return true
}

// concerns reports whether e is an event of the kind that the rule is on.
func (x *custom) concerns(e *Event) bool {
	v := e.Session
	switch x.r.On {
	case customrule.Opened:
		return v.Opened() && (v.Proto != protoUDP || e.Initiator == nil || e.Opening == device.Opens)
	case customrule.Answered:
		return v.State == session.Established
	case customrule.Ended:
		return true
	case customrule.OnLogin:
		_, ok := loginOf(e.Fact)
		return ok
	}
	step := customrule.StepRequest
	switch f := e.Fact.(type) {
	case *dissect.DNSMessage:
		return x.r.On == customrule.OnDNS && !f.Response && !f.MDNS && !f.LLMNR
	case *dissect.HTTPExchange:
		if f.Status != 0 {
			step = customrule.StepResponse
		}
		return x.r.On == customrule.OnHTTP && step == x.r.Step()
	case *dissect.TLSClientHello:
	case *dissect.TLSServerHello:
		step = customrule.StepResponse
	case *dissect.TLSCertificate:
		step = customrule.StepCertificate
	default:
		return false
	}
	return x.r.On == customrule.OnTLS && step == x.r.Step()
}

// side returns which end of the session the rule is about; ok is false if there is no such device.
func (x *custom) side(e *Event) (dir session.Dir, ok bool) {
	switch {
	case x.r.About == "client" || x.r.About == "" && e.Initiator != nil:
		return session.Out, e.Initiator != nil
	case x.r.About == "server" || e.Responder != nil:
		return session.In, e.Responder != nil
	}
	_, ok = callerOf(e) // both ends are outside
	return session.Out, ok
}

func (x *custom) key(e *Event, dir session.Dir) customKey {
	mine, self, other := e.Initiator, &e.Session.Initiator, &e.Session.Responder
	if dir == session.In {
		mine, self, other = e.Responder, other, self
	}
	k := customKey{}
	if mine != nil {
		k.who.device = mine.ID
	} else {
		k.who.addr = self.Addr
	}
	switch q, asks := e.Fact.(*dissect.DNSMessage); {
	case !x.r.PerPair:
	case asks:
		k.name = q.QName
	default:
		k.peer = other.Addr
	}
	return k
}

// complete adds the texts and entities to a finding.
func (x *custom) complete(f *Finding, e *Event, c *Context, env *customEnv, m *customMatches, k customKey, dir session.Dir) {
	switch {
	case !x.r.PerPair:
		f.Key = "device"
	case k.name != "":
		f.Key = Clean(k.name, 253)
	default:
		f.Key = f.Peer.IP
	}
	f.Severity, f.Maintenance = x.sev, f.Device != nil && c.Contracts.Maintenance(f.Device, c.Now)
	f.Start, f.End, f.Total, f.Count = m.first, max(f.End, m.last), m.count, m.take()
	if span := int64(x.r.Within / time.Second); span > f.WindowS {
		f.WindowS = span
	}
	x.texts(f, e, m, dir)
	rule := "rule " + x.rule.ID + " (" + strings.TrimRight(x.rule.Name, ".") + ")"
	f.Reasons = []Reason{{Code: "custom_rule", Text: rule + " of the operator matches: " + Clean(strings.Join(strings.Fields(x.r.When), " "), 300), Weight: 0.6}}
	if x.r.Count > 1 {
		f.Reasons = append(f.Reasons, Reason{Code: "repeated", Text: fmt.Sprintf("%s within %s", Plural(x.r.Count, "match", "matches"), span(int64(x.r.Within))), Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, benign("the rule is broader than it was meant to be; then narrow its expression"))
	data := map[string]any{"rule": x.rule.ID, "matches": m.count}
	if x.r.Source != "" {
		data["source"] = Clean(x.r.Source, 200)
	}
	for _, field := range x.r.Fields() {
		data[field.Name] = cleanValue(env.env.Value(field))
	}
	f.Evidence = []Evidence{{Kind: "custom_rule", Summary: rule + ": " + Plural(m.count, "match", "matches"), Data: data}}
	own := steps{"Read " + rule + " and decide whether it describes what its author meant.", "{inspect}", "If nobody expects it: {then contain} If it is expected, narrow the rule."}
	copy(own[:], x.r.Steps)
	f.Recommendation = own.forDevice(f.Device)
}

// cleanValue makes a value of an expression safe to show.
func cleanValue(v any) any {
	switch v := v.(type) {
	case string:
		return Clean(v, 253)
	case []string:
		out := make([]string, 0, min(len(v), maxListed))
		for _, s := range v[:cap(out)] {
			out = append(out, Clean(s, 100))
		}
		return out
	}
	return v
}

// texts writes title and message.
func (x *custom) texts(f *Finding, e *Event, m *customMatches, dir session.Dir) {
	who, peer, rule := f.self(), f.Peer.at(), name{x.rule.Name, "rule " + x.rule.ID} // the message has the name of the rule
	if q, ok := e.Fact.(*dissect.DNSMessage); ok {
		asked := Clean(q.QName, 253)
		peer = name{asked, asked}
	}
	f.Title = headline("%s "+x.did(e, dir)+" %s: %s", who, peer, rule)
	if x.r.Title != "" {
		f.Title = fillIn(x.r.Title, who, peer)
	}
	expected := fmt.Sprintf("Expected: %s does nothing that rule %s (%s) describes.", who.full, x.rule.ID, strings.TrimRight(x.rule.Name, "."))
	if x.r.Message != "" {
		expected = sentence(strings.NewReplacer("{device}", who.full, "{peer}", peer.full).Replace(x.r.Message))
	}
	f.Message = fmt.Sprintf("%s Seen: since %s it %s %s; %s.", expected, clock(m.first), x.did(e, dir), peer.full, Plural(m.count, "match", "matches"))
}

// did describes an event: what the device did, before the name of the peer.
func (x *custom) did(e *Event, dir session.Dir) string {
	answered := dir == session.In
	pick := func(out, in string) string {
		if answered {
			return in
		}
		return out
	}
	switch x.r.On {
	case customrule.Answered:
		return pick("connected to", "accepted a session from")
	case customrule.Ended:
		return pick("had a session with", "served a session of")
	case customrule.OnDNS:
		return pick("looked up", "was asked for")
	case customrule.OnHTTP:
		return pick("sent an HTTP request to", "got an HTTP request from")
	case customrule.OnTLS:
		return pick("opened a TLS session with", "answered a TLS session of")
	case customrule.OnLogin:
		if in, _ := loginOf(e.Fact); in.result == dissect.OutcomeSuccess {
			return pick("logged in to", "accepted a login from")
		}
		return pick("failed to log in to", "refused a login from")
	}
	return pick("opened a session with", "was called by")
}

// fillIn writes the names into the title of an operator.
func fillIn(title string, who, peer name) string {
	var names []name
	format := strings.ReplaceAll(title, "%", "%%")
	for {
		i := strings.Index(format, "{")
		if i < 0 {
			return headline(format, names...)
		}
		switch rest := format[i:]; {
		case strings.HasPrefix(rest, "{device}"):
			format, names = format[:i]+"%s"+rest[len("{device}"):], append(names, who)
		case strings.HasPrefix(rest, "{peer}"):
			format, names = format[:i]+"%s"+rest[len("{peer}"):], append(names, peer)
		default:
			format = format[:i] + "(" + rest[1:] // the document was checked
		}
	}
}

// sentence ends a text with a full stop.
func sentence(s string) string {
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// CustomStats returns what the rules of the operator have done, in their order.
func CustomStats(ds []Detector) (all []CustomStat) {
	for _, d := range ds {
		if x, ok := d.(*custom); ok {
			all = append(all, x.stats)
		}
	}
	return all
}
