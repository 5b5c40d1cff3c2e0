// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(viewerRule)

// viewerRule registers D31.
var viewerRule = register(registration{
	Rule: Rule{
		ID: "D31", Name: "New viewer", Kind: "new_viewer", Version: 1, Reliability: 0.6,
		Attack: join(enterprise(taCollection, "T1125", "T1123"), ics(icsCollection, "T0811")),
	},
	titleOrder: 6,
	advice: map[string]steps{
		"": {
			"Ask the operators whether the viewer is theirs.",
			"If not: change the passwords of the cameras, and {then contain}",
			"Allow streams of cameras from recorders and operators only.",
		},
	},
}, DefaultViewerParams, newViewer)

// ViewerParams are the parameters of D31.
type ViewerParams struct {
	LearnHours   int `yaml:"learn_hours"`   // how long a camera is watched before a viewer inside the network counts as new
	Platform     int `yaml:"platform"`      // cameras that a host views regularly to count as a platform, which may view others
	Concurrent   int `yaml:"concurrent"`    // viewers of a camera at the same time that are normal
	EntrySeconds int `yaml:"entry_seconds"` // how long after a login from outside on a host what it views is reported with high severity
	MaxPairs     int `yaml:"max_pairs"`     // viewers and cameras kept
}

// DefaultViewerParams returns the defaults of D31.
func DefaultViewerParams() ViewerParams {
	return ViewerParams{LearnHours: 168, Platform: 3, Concurrent: 2, EntrySeconds: 3600, MaxPairs: 50_000}
}

const (
	maxPrograms = 8  // programs kept of one viewer and camera
	maxWatching = 16 // sessions kept that show pictures of one camera
)

// viewer is D31: a host or a program that never did so watches a camera.
type viewer struct {
	p        ViewerParams
	viewers  *table[viewing, programs]
	fleet    *table[caller, fleetSize]     // cameras that a viewer is known for
	actions  *table[caller, cameraActions] // what was not expected
	watching *table[uint32, []watch]       `snapshot:"-"` // by camera
	sessions *table[uint64, uint32]        `snapshot:"-"` // that show pictures, and the camera
	entries  *entries
	start    int64 // first event of the run
}

type viewing struct {
	who    caller
	camera uint32
}

// programs are the programs with which somebody watches a camera.
type programs struct{ names []string }

type fleetSize struct{ cameras int }

type watch struct {
	session uint64
	who     caller
}

func newViewer(p ViewerParams) *viewer {
	return &viewer{p: p, viewers: newTable[viewing, programs](p.MaxPairs), fleet: newTable[caller, fleetSize](p.MaxPairs), actions: newTable[caller, cameraActions](p.MaxPairs),
		watching: newTable[uint32, []watch](p.MaxPairs), sessions: newTable[uint64, uint32](p.MaxPairs), entries: newEntries(p.MaxPairs)}
}

func (w *viewer) Rule() Rule { return viewerRule.Rule }

func (w *viewer) Kinds() []Kind { return []Kind{SessionOpened, SessionFact, SessionEnded, LinkFact} }

func (w *viewer) setParams(p ViewerParams) {
	w.p = p
	w.viewers.limit(p.MaxPairs)
	w.fleet.limit(p.MaxPairs)
	w.actions.limit(p.MaxPairs)
	w.watching.limit(p.MaxPairs)
	w.sessions.limit(p.MaxPairs)
	w.entries.limit(p.MaxPairs)
}

func (w *viewer) parts(r *device.Registry) []snapshot.Part {
	who := func(c *snapshot.Codec, k *caller) { k.walk(c) }
	return []snapshot.Part{
		w.viewers.part("D31.viewers/1", func(c *snapshot.Codec, k *viewing) {
			k.who.walk(c)
			deviceKey(c, &k.camera)
		}, func(c *snapshot.Codec, x *programs) { texts(c, &x.names) }),
		w.fleet.part("D31.fleet/1", who, func(c *snapshot.Codec, n *fleetSize) { c.Int(&n.cameras) }),
		w.actions.part("D31.actions/1", who, func(c *snapshot.Codec, x *cameraActions) { x.walk(c, r) }),
		w.entries.saved("D31"),
		snapshot.Single("D31/1", func(c *snapshot.Codec) { c.Time(&w.start) }),
	}
}

func (w *viewer) evictions() uint64 {
	return w.viewers.evicted() + w.fleet.evicted() + w.actions.evicted() + w.watching.evicted() + w.sessions.evicted() + w.entries.evicted()
}

func (w *viewer) Tick(now int64, c *Context) {
	w.actions.expire(now - 2*day)
	w.entries.expire(now - day)
}

func (w *viewer) Observe(e *Event, c *Context) {
	if w.start == 0 {
		w.start = e.Time
	}
	switch e.Kind {
	case SessionEnded:
		w.ended(e, c)
	case SessionFact:
		w.entries.observe(e, c)
		if program, action, ok := viewed(e.Fact); ok && e.Responder != nil {
			w.view(e, c, program, action)
		}
	}
}

// viewed returns with which program a client has asked for pictures, if they were not refused.
func viewed(f dissect.Fact) (program, action string, ok bool) {
	switch f := f.(type) {
	case *dissect.RTSPExchange: // it has the program, which the action does not
		return product(f.UserAgent), "rtsp PLAY", f.Method == "PLAY" && f.Status/100 == 2
	case *dissect.DeviceAction:
		return "", f.Protocol + " " + f.Action, f.Kind == dissect.ActionView && f.Protocol != "rtsp" && f.Result == dissect.OutcomeSuccess
	}
	return "", "", false
}

// ended forgets a session that has shown pictures.
func (w *viewer) ended(e *Event, c *Context) {
	camera, ok := w.sessions.take(e.Session.ID)
	if !ok {
		return
	}
	if l := w.watching.get(camera, c.Now); l != nil {
		if *l = slices.DeleteFunc(*l, func(x watch) bool { return x.session == e.Session.ID }); len(*l) == 0 {
			w.watching.drop(camera)
		}
	}
}

// concurrent notes a session that shows pictures and returns how many hosts watch the camera now.
func (w *viewer) concurrent(e *Event, c *Context) int {
	l := w.watching.put(e.Responder.ID, c.Now)
	if w.sessions.get(e.Session.ID, c.Now) == nil {
		*w.sessions.put(e.Session.ID, c.Now) = e.Responder.ID
		if len(*l) >= maxWatching {
			*l = slices.Delete(*l, 0, 1)
		}
		*l = append(*l, watch{e.Session.ID, actorOf(e)})
	}
	var hosts []caller
	for _, x := range *l {
		hosts = addDistinct(hosts, x.who, maxWatching)
	}
	return len(hosts)
}

// view decides whether a viewer is new, and learns those that are expected.
func (w *viewer) view(e *Event, c *Context, program, action string) {
	external := c.external(e.Initiator, addr(&e.Session.Initiator, e.Session.V6))
	concurrent := w.concurrent(e, c)
	who := actorOf(e)
	k := viewing{who, e.Responder.ID}
	known := w.viewers.get(k, c.Now)
	usual := known != nil && slices.Contains(known.names, program)
	entered := w.entries.since(e.Initiator, c.Now, w.p.EntrySeconds)
	if entered == nil && !usual {
		usual = w.expected(e, c, who, known == nil, external)
		if usual {
			w.learn(k, program, c.Now)
		}
	}
	if usual {
		return
	}
	x := w.actions.put(who, c.Now)
	if x.note(e, c.Now, action) {
		c.Emit(w.finding(e, c, x, program, known != nil, concurrent, entered))
	}
}

// expected reports whether a viewer that was not seen may watch: nothing else is known of the camera yet, or a platform gets one more camera.
// A new program of a known viewer is none of these.
func (w *viewer) expected(e *Event, c *Context, who caller, isNew, external bool) bool {
	if c.exempt(e, w.Rule()) {
		return true
	}
	if external {
		return false
	}
	learn := int64(w.p.LearnHours) * hour
	if c.Now-w.start < learn || c.Now-e.Responder.FirstSeen < learn {
		return true
	}
	n := w.fleet.get(who, c.Now)
	return isNew && (isRecorder(e.Initiator) || n != nil && n.cameras >= w.p.Platform)
}

func (w *viewer) learn(k viewing, program string, now int64) {
	x := w.viewers.put(k, now)
	if len(x.names) == 0 {
		w.fleet.put(k.who, now).cameras++
	}
	if len(x.names) >= maxPrograms {
		x.names = slices.Delete(x.names, 0, 1)
	}
	x.names = append(x.names, program)
}

func (w *viewer) finding(e *Event, c *Context, x *cameraActions, program string, knownHost bool, concurrent int, entered *entrance) *Finding {
	f := c.actorFinding(w.Rule(), e, x)
	external := e.Initiator == nil && f.Peer.External
	f.Key = "viewer"
	if e.Initiator == nil {
		f.Key += " " + f.Peer.IP
	}
	switch {
	case external, entered != nil:
		f.Severity = High
	case knownHost:
		f.Severity = Low
	case len(x.peers) > 1 || concurrent > w.p.Concurrent || isAppliance(e.Initiator):
		f.Severity = Medium
	default:
		f.Severity = Low
	}
	actor, at := f.actorName(e), x.targets(e)
	f.Brief = "watches " + at.brief()
	if e.Initiator == nil {
		f.Brief = "is watched from " + actor.brief()
	}
	f.Title = headline("%s watches %s for the first time", actor, at)
	if knownHost {
		f.Title = headline("%s watches %s with another program", actor, at)
	}
	f.Message = fmt.Sprintf("Expected: recorders and operators watch the cameras. Seen: since %s %s asked for pictures of %s %s, the last with %s.",
		clock(x.first), actor.full, listing(x.peers, 8), Plural(x.count, "time", "times"), programName(program))
	switch {
	case external:
		f.Reasons = append(f.Reasons, Reason{Code: "external_peer", Text: "the viewer is outside the network", Weight: 0.4})
	case knownHost:
		f.Reasons = append(f.Reasons, Reason{Code: "new_program", Text: "the host is a known viewer, but not with this program", Weight: 0.2})
	default:
		f.Reasons = append(f.Reasons, Reason{Code: "new_viewer", Text: "the host was not seen to watch the camera before", Weight: 0.3})
	}
	if concurrent > w.p.Concurrent {
		f.Reasons = append(f.Reasons, Reason{Code: "concurrent", Text: fmt.Sprintf("%d hosts watch the camera at the same time", concurrent), Weight: 0.1})
	}
	if entered != nil {
		entered.explain(f, c.Now)
	}
	f.Reasons = append(f.Reasons, benign("an operator has a new workstation or a new player; allow it in the inventory"))
	f.Evidence = []Evidence{{Kind: "camera_actions", Summary: listing(x.done, 8), Data: map[string]any{
		"requests": x.count, "cameras": slices.Clone(x.peers), "program": programName(program), "concurrent": concurrent}}}
	f.Recommendation = viewerRule.advise("", f.Device)
	return f
}

func programName(p string) string {
	if p == "" {
		return "a program that gives no name"
	}
	return p
}
