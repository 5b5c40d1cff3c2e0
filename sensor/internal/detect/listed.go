// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"net/netip"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/intel"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(listedRule)

// listedRule registers D49.
var listedRule = register(registration{
	Rule: Rule{
		ID: "D49", Name: "Peer on a threat intelligence list", Kind: "listed_peer", Version: 1, Reliability: 0.8,
		Attack: join(enterprise(taCommand, "T1071", "T1105"), ics(icsCommand, "T0869")),
	},
	titleOrder: 4,
	advice: map[string]steps{
		"": {
			"Read what the list says of the entry, and how old it is: addresses change hands within weeks.",
			"{inspect}",
			"Search for other devices with the same peer. If the entry is right: {then contain}",
		},
		"asked": {
			"Read what the list says of the name, and how old the list is.",
			"Look for a session of the device with the address that the name has, and for what looked it up.",
			"If the entry is right: {then contain}",
		},
	},
}, DefaultListedParams, newListed)

// ListedParams are the parameters of D49.
type ListedParams struct {
	StaleDays int `yaml:"stale_days"` // a match in a list that is older has low severity
	MaxPeers  int `yaml:"max_peers"`  // pairs of device and indicator kept
}

// DefaultListedParams returns the defaults of D49.
func DefaultListedParams() ListedParams { return ListedParams{StaleDays: 90, MaxPeers: 20_000} }

// listedPeer is D49: the peer of a device, a name that it looks up, or a fingerprint is on a list of threat intelligence of the operator.
type listedPeer struct {
	p     ListedParams
	peers *table[indicator, counter]
}

// indicator is what one device has to do with one indicator.
type indicator struct {
	device uint32
	addr   packet.Addr // of a host that is no device
	act    act
	value  string
}

// act is how a device met an indicator.
type act uint8

const (
	calls  act = iota // it opened a session that was answered
	tries             // it tried to open one
	asks              // it looked the name up
	serves            // the host outside opened a session
)

func newListed(p ListedParams) *listedPeer {
	return &listedPeer{p: p, peers: newTable[indicator, counter](p.MaxPeers)}
}

func (l *listedPeer) Rule() Rule { return listedRule.Rule }

func (l *listedPeer) Kinds() []Kind { return []Kind{SessionState, SessionFact, SessionEnded} }

func (l *listedPeer) setParams(p ListedParams) {
	l.p = p
	l.peers.limit(p.MaxPeers)
}

func (l *listedPeer) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{l.peers.part("D49.peers/1", func(c *snapshot.Codec, k *indicator) {
		deviceKey(c, &k.device)
		addrKey(c, &k.addr)
		snapshot.Enum(c, &k.act, serves)
		c.String(&k.value)
	}, func(c *snapshot.Codec, x *counter) { x.walk(c) })}
}

func (l *listedPeer) evictions() uint64 { return l.peers.evicted() }

func (l *listedPeer) Tick(now int64, c *Context) { l.peers.expire(now - 2*day) }

func (l *listedPeer) Observe(e *Event, c *Context) {
	if c.Intel.Len() == 0 {
		return
	}
	if e.Kind == SessionFact {
		l.fact(e, c)
		return
	}
	v := e.Session
	how := calls
	if !v.Answered() {
		if e.Kind != SessionEnded || v.State == session.OneWay {
			return
		}
		how = tries
	} else if e.Kind == SessionEnded {
		return // it was reported when it was answered
	}
	if m, ok := c.Intel.Address(addr(&v.Responder, v.V6), c.Now); ok && e.Responder == nil {
		if _, opened := callerOf(e); opened {
			l.met(e, c, how, m)
		}
		return
	}
	if e.Initiator == nil && e.Responder != nil && how == calls && v.Proto == protoTCP && v.Opened() {
		if m, ok := c.Intel.Address(addr(&v.Initiator, v.V6), c.Now); ok {
			l.met(e, c, serves, m)
		}
	}
}

// fact looks up names and fingerprints.
func (l *listedPeer) fact(e *Event, c *Context) {
	switch f := e.Fact.(type) {
	case *dissect.DNSMessage:
		if f.Response || f.MDNS || f.LLMNR || resolves(e.Initiator) {
			return
		}
		if m, ok := c.Intel.Name(f.QName, c.Now); ok {
			l.met(e, c, asks, m)
		}
	case *dissect.TLSClientHello:
		if e.App == nil || e.App.Hello == nil {
			return
		}
		h := e.App.Hello
		for _, look := range []func() (intel.Match, bool){
			func() (intel.Match, bool) { return c.Intel.Name(h.SNI, c.Now) },
			func() (intel.Match, bool) { return c.Intel.Lookup(intel.JA4, h.JA4, c.Now) },
			func() (intel.Match, bool) { return c.Intel.Lookup(intel.JA3, h.JA3, c.Now) },
		} {
			if m, ok := look(); ok {
				l.met(e, c, calls, m)
				return
			}
		}
	case *dissect.TLSCertificate:
		if m, ok := c.Intel.Lookup(intel.Certificate, f.SHA256, c.Now); ok {
			l.met(e, c, calls, m)
		}
	case *dissect.HTTPExchange:
		host := f.Host
		if a, err := netip.ParseAddrPort(host); err == nil {
			host = a.Addr().String()
		}
		if m, ok := c.Intel.Name(host, c.Now); ok && e.Responder == nil {
			l.met(e, c, calls, m)
		}
	}
}

// met counts a meeting, and reports it at the 1st, 2nd, 4th … time.
func (l *listedPeer) met(e *Event, c *Context, how act, m intel.Match) {
	k := indicator{act: how, value: m.Value}
	switch {
	case how == serves:
		k.device = e.Responder.ID
	case e.Initiator != nil:
		k.device = e.Initiator.ID
	default:
		k.addr = e.Session.Initiator.Addr
	}
	n := l.peers.put(k, c.Now)
	n.begin(c.Now, day)
	if !n.add(e.Session.Start) {
		return
	}
	f, x, source, ok := l.about(e, c, how)
	if !ok {
		return
	}
	f.Peer.Listed = &m
	f.Key, f.Start, f.Total, f.Count = fmt.Sprintf("%s %s", [...]string{"calls", "tries", "asks", "serves"}[how], m.Value), n.first, n.count, n.take()
	age := m.AgeDays(c.Now)
	f.Severity = l.severity(e, how, &m, age, x, source)
	l.describe(f, how, &m, age, n)
	c.Emit(f)
}

// about returns the finding without its texts. A session that the inventory allows is none, but a name is looked up at a server that is
// always allowed.
func (l *listedPeer) about(e *Event, c *Context, how act) (f *Finding, x contract.Expect, source string, ok bool) {
	switch how {
	case serves:
		f = c.sessionFinding(l.Rule(), e, session.In)
	case asks:
		f = c.sessionFinding(l.Rule(), e, session.Out)
	default:
		f, x, source, ok = c.callerFinding(l.Rule(), e)
		if ok {
			f.Stage = StageOutbound
		}
		return f, x, source, ok
	}
	if f.Device != nil {
		x, source = c.Contracts.Expect(f.Device, c.Now)
	}
	return f, x, source, true
}

func (l *listedPeer) severity(e *Event, how act, m *intel.Match, age int, x contract.Expect, source string) Severity {
	quiet := strict(x, source)
	switch {
	case age > l.p.StaleDays && l.p.StaleDays > 0:
		return Low
	case how == calls && m.Kind != intel.JA3 && m.Kind != intel.JA4:
		return High
	case how == calls || how == asks || quiet:
		return Medium // many programs share a fingerprint; a name that is looked up may not be used
	}
	return Low
}

func (l *listedPeer) describe(f *Finding, how act, m *intel.Match, age int, n *counter) {
	who, what, times := f.self(), m.Kind.String()+" "+m.Value, Plural(n.count, "session", "sessions")
	value := name{shorten(m.Value, 40), m.Value}
	title, did := "%s connects to %s, which is on a threat list", "opened "+times+" with "+f.Peer.at().full
	switch how {
	case tries:
		title, did = "%s calls %s, which is on a threat list", "tried to open "+times+" with "+f.Peer.at().full
	case asks:
		title, did = "%s looks up %s, which is on a threat list", "looked up "+m.Value
	case serves:
		title, did = "%s answers %s, which is on a threat list", "answered "+times+" of "+f.Peer.IP
	}
	f.Title = headline(title, who, value)
	f.Brief = map[act]string{calls: "connects to " + value.brief() + " (listed)", tries: "calls " + value.brief() + " (listed)", asks: "looks up " + value.brief() + " (listed)"}[how]
	f.Message = fmt.Sprintf("Expected: %s has nothing to do with hosts on lists of threat intelligence. Seen: since %s it %s; the %s is on the list %s, which is %s old.",
		who.full, clock(n.first), did, what, m.Text(), Plural(age, "day", "days"))
	f.Reasons = append(f.Reasons, Reason{Code: "listed", Text: "the " + what + " is on the list " + m.Text(), Weight: 0.6})
	if age > l.p.StaleDays && l.p.StaleDays > 0 {
		f.Reasons = append(f.Reasons, Reason{Code: "stale", Text: "the list is older than " + Plural(l.p.StaleDays, "day", "days"), Weight: -0.4})
	}
	f.Reasons = append(f.Reasons, benign("the entry is wrong or old, or the address belongs to a host that many use, such as a content network"))
	f.Evidence = append(f.Evidence, Evidence{Kind: "intel", Summary: what + " on " + m.Text(), Data: map[string]any{"feed": m.Feed, "date": m.Date, "kind": m.Kind.String(), "value": Clean(m.Value, 253)}})
	variant := ""
	if how == asks {
		variant = "asked"
	}
	f.Recommendation = listedRule.advise(variant, f.Device)
}
