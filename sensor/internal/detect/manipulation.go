// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(manipulationRule)

// manipulationRule registers D29.
var manipulationRule = register(registration{
	Rule: Rule{
		ID: "D29", Name: "Camera manipulation", Kind: "camera_manipulation", Version: 1, Reliability: 0.95,
		Attack: join(
			enterprise(taCollection, "T1125"), enterprise(taPersistence, "T1098"), enterprise(taImpact, "T1529", "T1565"),
			ics(icsImpact, "T0831"), ics(icsInhibit, "T0816"), ics(icsImpair, "T0836"), ics(icsPersistence, "T0857"), ics(icsInhibit, "T0892"),
		),
	},
	titleOrder: 4,
	advice: map[string]steps{
		"": {
			"Ask the operators and the administrators of the cameras whether this was theirs.",
			"If not: {then contain} Compare users, network settings and firmware of the cameras with what they should be.",
			"Change the passwords of the cameras, which the person who did this knows.",
		},
	},
}, DefaultManipulationParams, newManipulation)

// ManipulationParams are the parameters of D29.
type ManipulationParams struct {
	LearnHours     int `yaml:"learn_hours"`     // how long a camera is watched before a host of the network counts as new
	KnownDays      int `yaml:"known_days"`      // days after which a new host is known that moves cameras, or sets pictures and clock
	EntrySeconds   int `yaml:"entry_seconds"`   // how long after a login from outside on a host its usual actions are reported too
	RefusalSeconds int `yaml:"refusal_seconds"` // how long a refused request waits for the same one with a password
	HoursKnown     int `yaml:"hours_known"`     // actions on a camera after which its usual hours are known
	MaxPairs       int `yaml:"max_pairs"`       // hosts and cameras kept
}

// DefaultManipulationParams returns the defaults of D29.
func DefaultManipulationParams() ManipulationParams {
	return ManipulationParams{LearnHours: 168, KnownDays: 3, EntrySeconds: 3600, RefusalSeconds: 10, HoursKnown: 20, MaxPairs: 50_000}
}

// actionClass is a class of actions that change a camera.
type actionClass struct {
	kind     dissect.ActionKind
	verb     string // "moves": what the actor does to the cameras
	brief    string
	severity Severity // of an accepted action
}

// actionClasses lists the classes of actions. Their order is part of the saved state.
var actionClasses = []actionClass{
	{dissect.ActionMove, "moves", "moves %s", Medium},
	{dissect.ActionReboot, "restarts", "restarts %s", High},
	{dissect.ActionReset, "resets", "resets %s", Critical},
	{dissect.ActionUpgrade, "changes the firmware of", "changes the firmware of %s", Critical},
	{dissect.ActionUsers, "changes users of", "changes users of %s", Critical},
	{dissect.ActionNetwork, "changes the network settings of", "reconfigures %s", High},
	{dissect.ActionVideo, "changes pictures or recording of", "changes the pictures of %s", Medium},
	{dissect.ActionTime, "changes the clock of", "changes the clock of %s", Medium},
	{dissect.ActionConfiguration, "changes settings of", "reconfigures %s", High},
}

// classOf returns the number of the class of an action, -1 if it changes nothing.
func classOf(k dissect.ActionKind) int {
	return slices.IndexFunc(actionClasses, func(c actionClass) bool { return c.kind == k })
}

// manipulation is D29: a host that never did it before, or one that somebody has just entered from outside, moves cameras, restarts them or
// changes their settings.
type manipulation struct {
	p           ManipulationParams
	controllers *table[controller, control]       // who does what to which camera
	actions     *table[actorClass, cameraActions] // what was not expected
	refusals    *table[refusal, refused]          `snapshot:"-"` // requests that may be repeated with a password
	hours       *table[uint32, week]              // in which each camera is controlled
	entries     *entries
	start       int64 // first event of the run
}

type actorClass struct {
	actor caller
	class uint8
}

type controller struct {
	actorClass
	camera uint32 // 0: any
}

// control is how well a controller is known.
type control struct {
	known bool
	days  int   // on which it was seen, while it is not known
	day   int64 // the last of them
}

type refusal struct {
	controller
	action string
}

type refused struct {
	at      int64
	event   Event
	session session.View
}

func newManipulation(p ManipulationParams) *manipulation {
	return &manipulation{
		p:           p,
		controllers: newTable[controller, control](p.MaxPairs),
		actions:     newTable[actorClass, cameraActions](p.MaxPairs),
		refusals:    newTable[refusal, refused](maxRefusals),
		hours:       newTable[uint32, week](p.MaxPairs),
		entries:     newEntries(p.MaxPairs),
	}
}

// maxRefusals bounds the requests that wait for their repetition.
const maxRefusals = 1024

func (m *manipulation) Rule() Rule { return manipulationRule.Rule }

func (m *manipulation) Kinds() []Kind { return []Kind{SessionOpened, SessionFact, LinkFact} }

func (m *manipulation) setParams(p ManipulationParams) {
	m.p = p
	m.controllers.limit(p.MaxPairs)
	m.actions.limit(p.MaxPairs)
	m.hours.limit(p.MaxPairs)
	m.entries.limit(p.MaxPairs)
}

func (k *actorClass) walk(c *snapshot.Codec) {
	k.actor.walk(c)
	snapshot.Enum(c, &k.class, uint8(len(actionClasses)-1))
}

func (m *manipulation) parts(r *device.Registry) []snapshot.Part {
	return []snapshot.Part{
		m.controllers.part("D29.controllers/1", func(c *snapshot.Codec, k *controller) {
			k.walk(c)
			deviceKey(c, &k.camera)
		}, func(c *snapshot.Codec, x *control) {
			c.Bool(&x.known)
			c.Int(&x.days)
			c.Time(&x.day)
		}),
		m.actions.part("D29.actions/1", func(c *snapshot.Codec, k *actorClass) { k.walk(c) }, func(c *snapshot.Codec, x *cameraActions) { x.walk(c, r) }),
		m.hours.part("D29.hours/1", deviceKey, func(c *snapshot.Codec, w *week) { w.walk(c) }),
		m.entries.saved("D29"),
		snapshot.Single("D29/1", func(c *snapshot.Codec) { c.Time(&m.start) }),
	}
}

func (m *manipulation) evictions() uint64 {
	return m.controllers.evicted() + m.actions.evicted() + m.refusals.evicted() + m.hours.evicted() + m.entries.evicted()
}

// Tick reports the refused requests that were not repeated with a password.
func (m *manipulation) Tick(now int64, c *Context) {
	m.flush(now-int64(m.p.RefusalSeconds)*second, c)
	m.actions.expire(now - 2*day)
	m.entries.expire(now - day)
}

// Finish reports the refused requests that have no time left to be repeated.
func (m *manipulation) Finish(now int64, c *Context) { m.flush(now+1, c) }

func (m *manipulation) flush(before int64, c *Context) {
	for {
		k, x, ok := m.refusals.lru.Oldest()
		if !ok || x.val.at >= before {
			return
		}
		e := x.val.event
		v := x.val.session
		e.Session = &v
		m.refusals.drop(k)
		c.Begin()
		m.act(&e, c, k.controller, e.Fact.(*dissect.DeviceAction))
	}
}

func (m *manipulation) Observe(e *Event, c *Context) {
	if m.start == 0 {
		m.start = e.Time
	}
	if e.Kind != SessionFact {
		return
	}
	m.entries.observe(e, c)
	a, ok := e.Fact.(*dissect.DeviceAction)
	if !ok || e.Responder == nil || e.Session.Proto == protoUDP { // over UDP it is discovery, see D30
		return
	}
	class := classOf(a.Kind)
	if class < 0 {
		return
	}
	who := controller{actorClass{actorOf(e), uint8(class)}, e.Responder.ID}
	k := refusal{who, a.Action}
	if a.Result != dissect.OutcomeFailure {
		m.refusals.drop(k)
	} else if m.refusals.lru.Peek(k) == nil { // with Digest, every first request is refused
		x := m.refusals.put(k, c.Now)
		x.at, x.event, x.session = c.Now, *e, *e.Session
		return
	}
	m.act(e, c, who, a)
}

// act counts an action unless it was expected. It happened at e.Time, which is before now if the request has waited.
func (m *manipulation) act(e *Event, c *Context, who controller, a *dissect.DeviceAction) {
	entered := m.entries.since(e.Initiator, e.Time, m.p.EntrySeconds)
	if entered == nil && m.expected(e, c, who, a) {
		return
	}
	x := m.actions.put(who.actorClass, e.Time)
	due := x.note(e, e.Time, a.Action)
	if a.Result == dissect.OutcomeFailure {
		x.refused++
	}
	if due {
		c.Emit(m.finding(e, c, who, a, x, entered))
	}
}

// expected reports whether an actor does what it may or usually does, and learns. A request that was refused teaches nothing.
func (m *manipulation) expected(e *Event, c *Context, who controller, a *dissect.DeviceAction) bool {
	class := &actionClasses[who.class]
	external := c.external(e.Initiator, addr(&e.Session.Initiator, e.Session.V6))
	known := m.controllers.get(who, e.Time)
	learn := int64(m.p.LearnHours) * hour
	usual := !external && known != nil && (known.known || class.severity < High && known.days >= m.p.KnownDays)
	young := !external && (e.Time-m.start < learn || e.Time-e.Responder.FirstSeen < learn)
	usual = usual || young || c.exempt(e, m.Rule()) || !external && c.declaredRecorder(e)
	if a.Result != dissect.OutcomeFailure {
		known = m.controllers.put(who, e.Time)
		known.known = known.known || usual
		if today := e.Time / day; today != known.day {
			known.days, known.day = known.days+1, today
		}
		if usual {
			m.controllers.put(controller{who.actorClass, 0}, e.Time).known = true
			m.hours.put(e.Responder.ID, e.Time).note(e.Time)
		}
	}
	return usual
}

// severity is that of the class. It is higher at an unusual hour and, but for mere movement, for an actor from outside; lower for a host that
// does the same to other cameras, and for a request that was refused.
func (m *manipulation) severity(e *Event, c *Context, who controller, a *dissect.DeviceAction, intruder bool) Severity {
	s := actionClasses[who.class].severity
	if w := m.hours.get(e.Responder.ID, e.Time); w != nil && w.unusual(e.Time, m.p.HoursKnown) {
		s = raise(s)
	}
	if intruder && a.Kind != dissect.ActionMove {
		s = raise(s)
	}
	if k := m.controllers.get(controller{who.actorClass, 0}, e.Time); k != nil && !intruder {
		s = max(s-1, Low)
	}
	switch a.Result {
	case dissect.OutcomeFailure:
		s = max(min(s, High)-1, Low)
	case dissect.OutcomeUnknown:
		s = min(s, High)
	}
	return s
}

func (m *manipulation) finding(e *Event, c *Context, who controller, a *dissect.DeviceAction, x *cameraActions, entered *entrance) *Finding {
	class := &actionClasses[who.class]
	external := c.external(e.Initiator, addr(&e.Session.Initiator, e.Session.V6))
	f := c.actorFinding(m.Rule(), e, x)
	f.Key = string(class.kind)
	if e.Initiator == nil {
		f.Key += " " + f.Peer.IP
	}
	f.Severity = m.severity(e, c, who, a, external || entered != nil)
	actor, at := f.actorName(e), x.targets(e)
	f.Brief = fmt.Sprintf(class.brief, at.brief())
	if e.Initiator == nil {
		f.Brief = "is controlled from " + actor.brief()
	}
	f.Title = headline("%s "+class.verb+" %s", actor, at)
	if x.refused == x.count {
		f.Title = headline("%s tried without success: "+class.verb+" %s", actor, at)
	}
	f.Message = fmt.Sprintf("Expected: only the operators and the platform of a camera %s. Seen: since %s %s made %s by %s to %s, %d refused: %s.",
		classExpected[class.kind], clock(x.first), actor.full, Plural(x.count, "request", "requests"), a.Protocol, listing(x.peers, 8), x.refused, listing(x.done, 5))
	if external {
		f.Reasons = append(f.Reasons, Reason{Code: "external_peer", Text: "the requests come from outside the network", Weight: 0.3})
	} else {
		f.Reasons = append(f.Reasons, Reason{Code: "new_controller", Text: "it was not seen to do this to the camera before", Weight: 0.4})
	}
	if entered != nil {
		entered.explain(f, e.Time)
	}
	f.Reasons = append(f.Reasons, benign("an operator has a new workstation, or an installer is at work; list the host as an admin host in the inventory"))
	f.Evidence = []Evidence{{Kind: "camera_actions", Summary: listing(x.done, 8), Data: map[string]any{
		"class": string(class.kind), "protocol": a.Protocol, "requests": x.count, "refused": x.refused, "cameras": slices.Clone(x.peers), "actions": slices.Clone(x.done)}}}
	f.Recommendation = manipulationRule.advise("", f.Device)
	return f
}

// classExpected says what only the operators of a camera do.
var classExpected = map[dissect.ActionKind]string{
	dissect.ActionMove: "move it", dissect.ActionReboot: "restart it", dissect.ActionReset: "reset it", dissect.ActionUpgrade: "upgrade it",
	dissect.ActionUsers: "change its users", dissect.ActionNetwork: "change its network settings", dissect.ActionVideo: "change its pictures",
	dissect.ActionTime: "set its clock", dissect.ActionConfiguration: "configure it",
}
