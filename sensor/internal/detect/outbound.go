// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(outboundRule)

// outboundRule registers D01.
var outboundRule = register(registration{
	Rule: Rule{
		ID: "D01", Name: "Unexpected outbound", Kind: "unexpected_outbound", Version: 1, Reliability: 0.85,
		Attack: join(enterprise(taCommand, "T1071", "T1095"), ics(icsCommand, "T0869", "T0885")),
	},
	titleOrder: 7,
	advice: map[string]steps{
		"": {
			"Find out whose address the peer is, and ask the owner of the device whether this session is expected.",
			"{inspect}",
			"If nobody expects it: {then contain} If it is expected, add it to the inventory.",
		},
	},
}, DefaultOutboundParams, newOutbound)

// OutboundParams are the parameters of D01.
type OutboundParams struct {
	MaxSessions   int `yaml:"max_sessions"`   // sessions outside their contract followed until they end
	HelloSeconds  int `yaml:"hello_seconds"`  // how long to wait for the name in the TLS hello if the contract has names
	AnswerSeconds int `yaml:"answer_seconds"` // how long to wait for other datagrams from the same port if this one may be an answer
	MaxWaiting    int `yaml:"max_waiting"`    // sessions pending; further ones are decided at once
}

// DefaultOutboundParams returns the defaults of D01.
func DefaultOutboundParams() OutboundParams {
	return OutboundParams{MaxSessions: 100_000, HelloSeconds: 3, AnswerSeconds: 300, MaxWaiting: 10_000}
}

// outbound is D01: a device that should be silent opens a session outside its contract. One finding is one peer and port. The alert
// manager limits how many alerts one device can cause.
type outbound struct {
	p       OutboundParams
	live    *table[uint64, openedSession] `snapshot:"-"` // by session
	met     *table[contact, struct{}]
	pending *pendingSessions
}

// contact is a device and a peer outside its contract.
type contact struct {
	device uint32
	peer   packet.Addr
}

type openedSession struct {
	first       bool // first session of the device with this peer
	expect      contract.Expect
	source      string
	broken      string
	answered    bool
	maintenance bool
	oneWay      bool // it continues as if answered, but the capture shows no answer
	asked       bool // the device had just asked for the name in its hello, and no answer was captured
}

func newOutbound(p OutboundParams) *outbound {
	return &outbound{p: p, live: newTable[uint64, openedSession](p.MaxSessions), met: newTable[contact, struct{}](p.MaxSessions), pending: newPendingSessions(p.MaxWaiting)}
}

func (o *outbound) Rule() Rule { return outboundRule.Rule }

func (o *outbound) Kinds() []Kind {
	return []Kind{SessionOpened, SessionState, SessionFact, SessionProgress, SessionEnded}
}

func (o *outbound) setParams(p OutboundParams) {
	o.p = p
	o.live.limit(p.MaxSessions)
	o.met.limit(p.MaxSessions)
	o.pending.limit = p.MaxWaiting
}

func (o *outbound) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{o.met.part("D01.met/1", func(c *snapshot.Codec, k *contact) {
		deviceKey(c, &k.device)
		addrKey(c, &k.peer)
	}, nothing)}
}

func (o *outbound) evictions() uint64 { return o.live.evicted() + o.met.evicted() }

func (o *outbound) Tick(now int64, c *Context) { o.decideExpired(now, c) }

func (o *outbound) Observe(e *Event, c *Context) {
	switch e.Kind {
	case SessionOpened:
		o.opened(e, c, true)
	case SessionFact, SessionProgress:
		o.recheck(e, c)
	case SessionState, SessionEnded:
		o.recheck(e, c)
		o.followUp(e, c)
	}
}

// recheck decides a pending session, or one that was allowed when it was opened. A silent device must not hide other protocols behind
// port 53 or 123, use another name in its hello than it looked up, or reach a host that answers to a broadcast frame.
func (o *outbound) recheck(e *Event, c *Context) {
	if o.live.get(e.Session.ID, c.Now) != nil {
		return
	}
	_, hello := e.Fact.(*dissect.TLSClientHello)
	waited, over := o.wait(e, c)
	if over || !waited && (hello && c.Contracts.HasInventory() || e.Session.Group || contract.WrongProtocol(e.Session, e.App)) {
		o.opened(e, c, !over)
	}
}

// opened decides a session, or leaves it pending.
func (o *outbound) opened(e *Event, c *Context, mayWait bool) {
	if !Originated(e) && (!mayWait || e.Opening != device.Unclear) {
		return
	}
	x, source := c.Contracts.Expect(e.Initiator, c.Now)
	if x == contract.Normal {
		return
	}
	v := c.verdict(e)
	if v.Allowed || mayWait && o.mustWait(e, c) {
		return
	}
	k := contact{e.Initiator.ID, e.Session.Responder.Addr}
	first := o.met.get(k, c.Now) == nil
	o.met.put(k, c.Now)
	s := o.live.put(e.Session.ID, c.Now)
	*s = openedSession{first, x, source, v.Broken, e.Session.Answered(), v.Maintenance, e.Session.State == session.OneWay, c.askedFor(e)}
	c.Emit(o.finding(e, c, *s))
}

// followUp reports that the peer answered, or that the session continues without visible answers, and at the end how much it carried.
// If what was learned since (the name in a TLS hello, the application) shows that the contract allows the session, nothing more is
// reported.
func (o *outbound) followUp(e *Event, c *Context) {
	s := o.live.get(e.Session.ID, c.Now)
	if s == nil {
		return
	}
	ended := e.Kind == SessionEnded
	reported := *s
	reported.answered, reported.oneWay = e.Session.Answered(), e.Session.State == session.OneWay
	fresh := reported.answered && !s.answered || reported.oneWay && !s.oneWay
	if ended {
		o.live.drop(e.Session.ID)
	}
	if !fresh && !ended || e.Initiator == nil || c.verdict(e).Allowed {
		return
	}
	if !ended {
		*s = reported
	}
	f := o.finding(e, c, reported)
	f.Continues = true
	c.Emit(f)
}

func (o *outbound) finding(e *Event, c *Context, s openedSession) *Finding {
	f := c.sessionFinding(o.Rule(), e, session.Out)
	f.Key = serviceKey(addr(&e.Session.Responder, e.Session.V6), e.Session)
	f.Severity, f.Stage, f.Broken, f.Maintenance = s.severity(f.Peer), StageOutbound, Clean(s.broken, 300), s.maintenance
	f.Peer.FirstContact = s.first
	ping := e.Session.Proto == protoICMP || e.Session.Proto == protoICMP6
	if ping && c.Devices.ToGateway(e.Session, e.Responder) {
		f.Severity = Low // hosts ping their gateway to check the network
	}
	unproven, most := c.unproven(e, s.asked)
	if unproven {
		f.Severity = min(f.Severity, most)
	}
	who, to, what := f.self(), f.other(), service(e)
	verb := verbs(e.Session, s.answered)
	f.Brief = "calls " + to.brief()
	if s.answered {
		f.Brief = "connects to " + to.brief()
	}
	f.Title = headline("%s "+verb+" %s to %s", who, name{what, portName(e)}, to)
	f.Message = fmt.Sprintf("Expected: %s %s. Seen: at %s it %s %s to %s, %s.",
		who.full, expectation(s.expect, s.source), clock(e.Session.Start), verb, what, to.full, answer(e.Session, s.answered))
	f.Reasons = o.reasons(f.Peer, s)
	if contract.WrongProtocol(e.Session, e.App) {
		text := fmt.Sprintf("the port belongs to %s, but the session is something else", contract.PortProtocol(e.Session))
		f.Reasons = append([]Reason{{Code: "disguised", Text: text, Weight: 0.3}}, f.Reasons...)
	}
	if unproven {
		text := "its contract allows the port by name, and the capture lacks packets that may tell the name"
		f.Reasons = append([]Reason{{Code: "not_confirmed", Text: text, Weight: -0.3}}, f.Reasons...)
	}
	f.Evidence = []Evidence{{Kind: "session", Summary: fmt.Sprintf("%s, %s", e.Session.State, traffic(e.Session)),
		Data: map[string]any{"basis": e.Session.Basis.String()}}}
	f.Recommendation = outboundRule.advise("", f.Device)
	return f
}

// unproven reports whether a session may be one that the contract of its initiator allows by name, and the capture lacks what would tell:
// the hello, or the DNS answer that gives the name to the address. most is how severe it is at most.
//
// If the capture is known to lack packets that is low. If only the answer to the last question of the client is missing it is medium,
// because an intruder can ask a server that does not answer.
func (c *Context) unproven(e *Event, asked bool) (yes bool, most Severity) {
	if !c.Contracts.AllowsByName(e.Initiator, e.Session) || c.contradicted(e) {
		return false, 0
	}
	most = Medium
	if c.Quality.Lossy() || e.Session.Gap {
		most = Low
	}
	sni := serverName(e)
	if sni == "" {
		return most == Low, most
	}
	yes = most == Low || asked
	return yes && c.Contracts.Check(e.Initiator, session.Out, e.Session, e.App, sni, e.Responder, c.Now).Allowed, most
}

// contradicted reports whether the name of the responder is known: the initiator looked it up, or the certificate tells it.
func (c *Context) contradicted(e *Event) bool {
	client, far := e.Session.Initiator.Addr.Netip(), e.Session.Responder.Addr.Netip()
	return c.Names != nil && len(c.Names.Own(client, far, c.Now)) > 0 || e.App != nil && e.App.Cert != nil
}

// askedFor reports whether the initiator asked for the name in its hello just before, and no answer was captured.
func (c *Context) askedFor(e *Event) bool {
	if c.Names == nil || serverName(e) == "" {
		return false
	}
	asked, ok := c.Names.Asked(e.Session.Initiator.Addr.Netip(), c.Now)
	return ok && sameName(asked, serverName(e))
}

func serverName(e *Event) string {
	if e.App == nil || e.App.Hello == nil {
		return ""
	}
	return e.App.Hello.SNI
}

// verbs returns the verb for opening a session.
func verbs(v *session.View, answered bool) string {
	switch {
	case !v.HasPorts:
		return "sent"
	case !answered && v.Proto == protoTCP && v.State != session.OneWay: // in OneWay the initiator continues as if answered
		return "tried to open"
	}
	return "opened"
}

// answer describes what the peer did.
func answer(v *session.View, answered bool) string {
	switch {
	case answered:
		return "which answered; so far " + traffic(v)
	case v.State == session.OneWay:
		return "whose replies the capture does not show; so far " + size(v.PayloadBytes[session.Out]) + " out"
	case v.State == session.Rejected:
		return "which refused"
	}
	return "without an answer so far"
}

// severity is medium for an attempt and high once it was answered. If silence is expected only because the device was idle, an
// answered session to an internal peer stays medium.
func (s openedSession) severity(p *Peer) Severity {
	if !s.answered || s.source == contract.FromIdle && !p.External {
		return Medium
	}
	return High
}

func (o *outbound) reasons(p *Peer, s openedSession) []Reason {
	rs := []Reason{{Code: "expected_" + s.expect.String(), Text: "expected: the device " + expectation(s.expect, s.source), Weight: 0.5}}
	if s.answered {
		rs = append(rs, Reason{Code: "answered", Text: "the peer answered", Weight: 0.3})
	}
	if p.External {
		rs = append(rs, Reason{Code: "external_peer", Text: "the peer is outside the network", Weight: 0.1})
	}
	if p.Name == "" {
		rs = append(rs, Reason{Code: "no_name", Text: "the device did not look up the address by name", Weight: 0.1})
	}
	return append(rs, benign("it is an update, a monitoring agent or a cloud service that the owner knows; then add it to the inventory"))
}
