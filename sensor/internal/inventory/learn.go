// SPDX-License-Identifier: Apache-2.0

// Package inventory writes drafts of an inventory from traffic (Learner), and converts inventories to and from CSV.
package inventory

import (
	"net/netip"
	"slices"
	"strings"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/lru"
	"stillwatch/sensor/internal/session"
)

// Bounds of a Learner. Beyond them the least recently used entry is evicted, and the draft says so.
const (
	maxLive   = 100_000 // sessions that have not ended
	maxCalls  = 200_000 // devices, peers and ports
	maxUses   = 50_000  // devices and the infrastructure servers that they use
	maxAlerts = 10_000  // pairs of device and peer in alerts
)

// Learner collects what devices do, for the draft of an inventory. Event and Alert are functions of a pipeline.Output; like these it is for one
// goroutine.
type Learner struct {
	ctx    *detect.Context
	ranges map[netip.Prefix]bool // default internal networks in which an address was seen
	live   *lru.Table[uint64, call]
	calls  *lru.Table[callKey, callSum]
	uses   *lru.Table[useKey, useSum]
	alerts *lru.Table[alertKey, trouble]
	seen   uint64 // sessions
	first  int64  // capture clock, nanoseconds
}

// callKey is what one entry of a contract would allow: a device, a peer and a port. The device is known by its id and its address, because
// devices merge while more is learned.
type callKey struct {
	dev, peerDev uint32
	from, to     netip.Addr
	name         string // by which the device knows the peer; "" if none counts
	proto        uint8
	port         uint16
}

// callSum sums up the sessions of a callKey.
type callSum struct {
	sessions, answered, refused uint64
	first, last                 int64
	app                         string
}

// call is one session that a device opened.
type call struct {
	callKey
	kind     string // infrastructure protocol, "" if none
	answered bool
	refused  bool
	start    int64
	app      string
}

// useKey is a device that uses an infrastructure server.
type useKey struct {
	kind   string // dns, ntp, dhcp, syslog
	server netip.Addr
	name   string
	dev    uint32
}

// toClient is the kind of a session that is infrastructure and says nothing about a server: a DHCP answer to a client.
const toClient = "client"

type useSum struct{ sessions, answered uint64 }

type alertKey struct {
	device string // key
	ip     netip.Addr
	peer   netip.Addr // zero: the alert names none
}

// trouble is the most severe alert about a device and a peer.
type trouble struct {
	severity int // index in severities
	title    string
	first    int64 // start of what was observed
}

var severities = []string{"informational", "low", "medium", "high", "critical"}

const mediumSeverity = 2

// NewLearner returns an empty Learner.
func NewLearner() *Learner {
	return &Learner{
		ranges: map[netip.Prefix]bool{}, live: lru.New[uint64, call](maxLive), calls: lru.New[callKey, callSum](maxCalls),
		uses: lru.New[useKey, useSum](maxUses), alerts: lru.New[alertKey, trouble](maxAlerts),
	}
}

// Event learns from an event of the run.
func (l *Learner) Event(e *detect.Event, c *detect.Context) {
	l.ctx = c
	if l.first == 0 {
		l.first = e.Time
	}
	if e.Kind == detect.LinkFact {
		return
	}
	if m, ok := e.Fact.(*dissect.DHCPMessage); ok && e.Kind == detect.SessionFact && m.ServerID.IsValid() && (m.Type == "ack" || m.Type == "offer") {
		u := l.uses.Put(useKey{kind: "dhcp", server: m.ServerID, dev: idOf(c.Devices.ByMAC(m.ClientMAC))})
		u.sessions, u.answered = u.sessions+1, u.answered+1
	}
	if e.Kind == detect.SessionOpened {
		l.seen++
		l.addRange(e.Session.Initiator.Addr.Netip())
		l.addRange(e.Session.Responder.Addr.Netip())
	}
	l.session(e, c)
}

func idOf(d *device.Device) uint32 {
	if d == nil {
		return 0
	}
	return d.ID
}

func (l *Learner) addRange(a netip.Addr) {
	for _, p := range device.DefaultInternal() {
		if p.Contains(a) {
			l.ranges[p] = true
		}
	}
}

// session updates what is known of a session that a device has opened, and adds it to the sums when it ends.
func (l *Learner) session(e *detect.Event, c *detect.Context) {
	v := e.Session
	x := l.live.Peek(v.ID)
	if (e.Kind == detect.SessionProgress || e.Kind == detect.SessionActivity) && x != nil && (x.answered || !v.Answered()) {
		return
	}
	if x == nil {
		if e.Initiator == nil || v.ToGroup() || !v.Opened() || !(detect.Originated(e) || e.Opening == device.Unclear) {
			return
		}
		x = l.live.Put(v.ID)
		*x = call{callKey: callKey{from: v.Initiator.Addr.Netip(), to: v.Responder.Addr.Netip(), proto: v.Proto}, start: v.Start}
		if v.HasPorts {
			x.port = v.Responder.Port
		}
	}
	x.note(e, c)
	if e.Kind == detect.SessionEnded {
		done, _ := l.live.Take(v.ID)
		l.add(&done, l.calls, l.uses)
	}
}

// note keeps what an event says of a session.
func (x *call) note(e *detect.Event, c *detect.Context) {
	v := e.Session
	x.dev, x.peerDev = max(x.dev, idOf(e.Initiator)), idOf(e.Responder)
	x.answered = x.answered || v.Answered() || v.State == session.OneWay
	x.refused = v.State == session.Rejected
	if e.App != nil && e.App.Name != "" {
		x.app = e.App.Name
	}
	if names := c.TrustedNames(e); len(names) > 0 && e.Responder == nil {
		x.name = strings.ToLower(strings.TrimSuffix(names[0], "."))
	}
	x.kind = ""
	if c.Contracts.Check(e.Initiator, session.Out, v, e.App, x.name, e.Responder, c.Now).Infrastructure {
		x.kind = serverKind(v)
	}
}

// serverKind returns the kind of an infrastructure server, by the port on which it was asked; "" for what a server sends to a client.
func serverKind(v *session.View) string {
	switch v.Responder.Port {
	case 53, 123:
		return contract.PortProtocol(v)
	case 67, 547:
		return "dhcp"
	case 514:
		return "syslog"
	}
	return toClient
}

func (l *Learner) add(x *call, calls *lru.Table[callKey, callSum], uses *lru.Table[useKey, useSum]) {
	switch x.kind {
	case "":
	case toClient:
		return
	default:
		u := uses.Put(useKey{kind: x.kind, server: x.to, name: x.name, dev: x.dev})
		u.sessions++
		if x.answered {
			u.answered++
		}
		return
	}
	s := calls.Put(x.callKey)
	if s.sessions == 0 || x.start < s.first {
		s.first = x.start
	}
	s.sessions, s.last = s.sessions+1, max(s.last, x.start)
	if x.answered {
		s.answered++
	}
	if x.refused {
		s.refused++
	}
	if x.app != "" {
		s.app = x.app
	}
}

// Alert learns which sessions an alert is about: the draft does not allow them.
func (l *Learner) Alert(a *schemas.Alert) error {
	s := slices.Index(severities, a.Severity)
	if s < mediumSeverity {
		return nil
	}
	k := alertKey{device: a.Device.Key, ip: a.Device.IP}
	if a.Peer != nil {
		k.peer = a.Peer.IP
	}
	t := l.alerts.Put(k)
	start := int64(a.Time.EventStart)
	if t.title == "" || start < t.first {
		t.first = start
	}
	if t.title == "" || s >= t.severity {
		t.severity, t.title = s, a.Title
	}
	return nil
}

// evicted returns how many entries did not fit.
func (l *Learner) evicted() uint64 {
	return l.live.Evicted() + l.calls.Evicted() + l.uses.Evicted() + l.alerts.Evicted()
}
