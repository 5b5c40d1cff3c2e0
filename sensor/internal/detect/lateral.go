// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"
	"strings"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(lateralRule)

// lateralRule registers D39.
var lateralRule = register(registration{
	Rule: Rule{
		ID: "D39", Name: "Lateral movement", Kind: "lateral_movement", Version: 1, Reliability: 0.6,
		Attack: join(enterprise(taLateral, "T1021", "T1210"), enterprise(taDiscovery, "T1018"), ics(icsLateral, "T0886", "T0867")),
	},
	titleOrder: 4,
	advice: map[string]steps{
		"": {
			"Ask the owner of the device whether a backup, an agent or an administrator opened these sessions.",
			"Read the logins of that minute on the hosts that it reached.",
			"If nobody knows them: {then contain} If they are expected, add them to the inventory.",
		},
	},
}, DefaultLateralParams, newLateral)

// LateralParams are the parameters of D39.
type LateralParams struct {
	AdminPorts     []int `yaml:"admin_ports"`     // ports of administration and file sharing
	DirectoryPorts []int `yaml:"directory_ports"` // ports of domain controllers and other directories
	DatabasePorts  []int `yaml:"database_ports"`  // ports of databases
	MaxContacts    int   `yaml:"max_contacts"`    // device, peer and port that are kept
	MaxDevices     int   `yaml:"max_devices"`     // devices followed, once for each kind of port
}

// DefaultLateralParams returns the defaults of D39.
func DefaultLateralParams() LateralParams {
	return LateralParams{AdminPorts: []int{22, 23, 135, 139, 445, 3389, 5900, 5985, 5986}, DirectoryPorts: []int{88, 389, 464, 636, 3268, 3269},
		DatabasePorts: []int{1433, 1521, 3306, 5432, 6379, 27017}, MaxContacts: 50_000, MaxDevices: 20_000}
}

// lateral is D39: a device that should open nothing reaches another device inside on a port of administration, a directory or a database for
// the first time. Intruders move on like this from the first device that they have taken over.
type lateral struct {
	p        LateralParams
	contacts *table[lateralContact, contacted]
	reaches  *table[lateralKind, reach]
}

// lateralContact is a service that a device has reached.
type lateralContact struct {
	device uint32
	peer   packet.Addr
	port   uint16
	proto  uint8
}

// contacted is the session of a first contact, and whether the device has sent data in it.
type contacted struct {
	session uint64
	talked  bool
}

// lateralKind is a device and the kind of ports that it reaches.
type lateralKind struct {
	device uint32
	kind   string
}

// reach is what a device has reached: peers are the hosts.
type reach struct {
	counter
	services []string // "22/tcp"
	talked   bool     // it sent data in one of the sessions
}

func newLateral(p LateralParams) *lateral {
	return &lateral{p: p, contacts: newTable[lateralContact, contacted](p.MaxContacts), reaches: newTable[lateralKind, reach](p.MaxDevices)}
}

func (l *lateral) Rule() Rule { return lateralRule.Rule }

func (l *lateral) Kinds() []Kind { return []Kind{SessionState, SessionFact, SessionEnded} }

func (l *lateral) setParams(p LateralParams) {
	l.p = p
	l.contacts.limit(p.MaxContacts)
	l.reaches.limit(p.MaxDevices)
}

func (l *lateral) parts(*device.Registry) []snapshot.Part {
	return []snapshot.Part{
		l.contacts.part("D39.contacts/1", func(c *snapshot.Codec, k *lateralContact) {
			deviceKey(c, &k.device)
			addrKey(c, &k.peer)
			snapshot.Number(c, &k.port)
			snapshot.Number(c, &k.proto)
		}, func(c *snapshot.Codec, x *contacted) {
			snapshot.Number(c, &x.session)
			c.Bool(&x.talked)
		}),
		l.reaches.part("D39.reaches/1", func(c *snapshot.Codec, k *lateralKind) {
			deviceKey(c, &k.device)
			c.String(&k.kind)
		}, func(c *snapshot.Codec, r *reach) {
			r.counter.walk(c)
			texts(c, &r.services)
			c.Bool(&r.talked)
		}),
	}
}

func (l *lateral) evictions() uint64 { return l.contacts.evicted() + l.reaches.evicted() }

func (l *lateral) Tick(now int64, c *Context) { l.reaches.expire(now - 2*day) }

// kind returns what a port is for, "" if it is none of those that matter.
func (l *lateral) kind(port uint16) string {
	switch p := int(port); {
	case slices.Contains(l.p.AdminPorts, p):
		return "administration"
	case slices.Contains(l.p.DirectoryPorts, p):
		return "directory"
	case slices.Contains(l.p.DatabasePorts, p):
		return "database"
	}
	return ""
}

// Observe counts a service when it answers for the first time, and notes when the device sends data in that session.
func (l *lateral) Observe(e *Event, c *Context) {
	v := e.Session
	if e.Initiator == nil || !v.HasPorts || !v.Answered() {
		return
	}
	kind := l.kind(v.Responder.Port)
	if kind == "" || c.external(e.Responder, addr(&v.Responder, v.V6)) {
		return
	}
	x, source := c.Contracts.Expect(e.Initiator, c.Now)
	if x == contract.Normal || !Originated(e) {
		return
	}
	k := lateralContact{e.Initiator.ID, v.Responder.Addr, v.Responder.Port, v.Proto}
	seen := l.contacts.get(k, c.Now)
	talks := v.PayloadBytes[session.Out] > 0
	if seen != nil && (seen.talked || !talks || seen.session != v.ID) || c.verdict(e).Allowed {
		return
	}
	*l.contacts.put(k, c.Now) = contacted{v.ID, talks}
	r := l.reaches.put(lateralKind{e.Initiator.ID, kind}, c.Now)
	if r.begin(c.Now, day) {
		r.services, r.talked = nil, false
	}
	begins := talks && !r.talked
	r.talked = r.talked || talks
	if due := seen == nil && l.count(r, v, c.Now); due || begins {
		c.Emit(l.finding(e, c, kind, r, x, source))
	}
}

// count counts a first contact and reports whether a report is due.
func (l *lateral) count(r *reach, v *session.View, now int64) bool {
	service := portName(&Event{Session: v})
	fresh := !slices.Contains(r.services, service)
	r.services = addDistinct(r.services, service, maxListed)
	return r.addPeer(now, addr(&v.Responder, v.V6)) || fresh
}

func (l *lateral) finding(e *Event, c *Context, kind string, r *reach, x contract.Expect, source string) *Finding {
	f := c.sessionFinding(l.Rule(), e, session.Out)
	v := c.verdict(e)
	f.Key, f.Stage, f.Severity, f.Maintenance, f.Broken = kind, StageOutbound, Medium, v.Maintenance, Clean(v.Broken, 300)
	if strict(x, source) {
		f.Severity = High
	}
	f.Peer.FirstContact = true
	f.Start, f.Total, f.Count = r.first, r.count, r.take()
	if f.Continues = f.Count == 0; f.Continues {
		f.Count = 1
	}
	f.Peers = slices.Clone(r.peers)
	f.Entities = append(f.Entities, ipEntities(f.Peers)...)
	who, to := f.self(), f.other()
	if n := len(f.Peers); n > 1 {
		hosts := fmt.Sprintf("%d hosts", n)
		to = name{hosts + " (last " + to.full + ")", hosts}
	}
	on := listing(r.services, 3)
	f.Brief = "reaches " + to.brief() + " on " + listing(r.services, 2)
	f.Title = headline("%s reaches %s on %s for the first time", who, name{to.short, to.short}, name{on, r.services[0]})
	f.Message = fmt.Sprintf("Expected: %s %s. Seen: since %s it reached %s on %s, which it had not reached before; %s.",
		who.full, expectation(x, source), clock(r.first), to.full, listing(r.services, 8), talk(r))
	f.Reasons = l.reasons(kind, r, x, source)
	f.Evidence = []Evidence{{Kind: "contacts", Summary: fmt.Sprintf("%s with %s of %s", Plural(r.count, "first contact", "first contacts"), plural(r.count, "a service", "services"), kind),
		Data: map[string]any{"contacts": r.count, "services": slices.Clone(r.services)}}}
	f.Recommendation = lateralRule.advise("", f.Device)
	return f
}

func talk(r *reach) string {
	if r.talked {
		return "it sent data there"
	}
	return "so far it sent no data there"
}

func (l *lateral) reasons(kind string, r *reach, x contract.Expect, source string) []Reason {
	out := []Reason{{Code: "services", Text: "first contact on " + strings.Join(r.services, ", "), Weight: 0.3},
		{Code: "expected_" + x.String(), Text: "expected: the device " + expectation(x, source), Weight: 0.4}}
	if r.talked {
		out = append(out, Reason{Code: "talked", Text: "the device sent data, so this is more than a scan", Weight: 0.2})
	}
	if kind == "directory" {
		out = append(out, Reason{Code: "directory", Text: "who controls a directory controls all accounts", Weight: 0.2})
	}
	return append(out, benign("a backup, an antivirus or a management agent of the device reaches these hosts; then add them to the inventory"))
}
