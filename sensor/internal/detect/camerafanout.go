// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"fmt"
	"slices"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/snapshot"
)

var _ = add(cameraFanoutRule)

// cameraFanoutRule registers D28.
var cameraFanoutRule = register(registration{
	Rule: Rule{
		ID: "D28", Name: "Bulk credential access", Kind: "bulk_credential_access", Version: 1, Reliability: 0.9,
		Attack: join(enterprise(taCredentials, "T1110.003", "T1110.004", "T1555"), enterprise(taLateral, "T1021"), enterprise(taInitialAccess, "T1078"),
			ics(icsLateral, "T0859", "T0886")),
	},
	titleOrder: 3,
	advice: map[string]steps{
		"": {
			"Ask whether somebody has just set up or restarted the cameras or the platform.",
			"If not: {then contain}",
			"Change the passwords of all cameras: the person who did this has them.",
		},
	},
}, DefaultCameraFanoutParams, newCameraFanout)

// CameraFanoutParams are the parameters of D28.
type CameraFanoutParams struct {
	Cameras       int     `yaml:"cameras"`        // cameras on which a host authenticates
	Above         int     `yaml:"above"`          // at least so many more than ever before
	WindowSeconds int     `yaml:"window_seconds"` // time within which they count
	FleetShare    float64 `yaml:"fleet_share"`    // of its cameras, for a recorder or platform at an unusual hour
	LearnHours    int     `yaml:"learn_hours"`    // how long the network is watched before an internal host counts as unusual
	EntrySeconds  int     `yaml:"entry_seconds"`  // how long after a login from outside a host is not trusted
	BootSeconds   int     `yaml:"boot_seconds"`   // how long after they have booted cameras are expected to be logged in to
	MaxSources    int     `yaml:"max_sources"`    // hosts kept
}

// DefaultCameraFanoutParams returns the defaults of D28.
func DefaultCameraFanoutParams() CameraFanoutParams {
	return CameraFanoutParams{Cameras: 3, Above: 3, WindowSeconds: 600, FleetShare: 0.3, LearnHours: 168, EntrySeconds: 3600, BootSeconds: 600, MaxSources: 10_000}
}

const (
	maxFleet  = 512 // cameras kept of one host
	hoursADay = 24
)

// cameraFanout is D28: one host authenticates to many cameras within a short time. A camera platform holds the passwords of all its cameras,
// and an intruder on the platform uses them.
type cameraFanout struct {
	p       CameraFanoutParams
	sources *table[caller, cameraUser]
	actions *table[caller, cameraActions]
	boots   *table[uint32, int64] `snapshot:"-"` // last boot of each device
	entries *entries
	start   int64 // first event of the run
}

// cameraUser is how one host logs in to cameras.
type cameraUser struct {
	recent   []cameraLogin     // the last login to each camera within the window
	fleet    []uint32          // cameras it is known to log in to
	programs []usedProgram     // it has used
	days     [hoursADay]uint8  // number of days on which it logged in, by hour of the day (UTC)
	last     [hoursADay]uint16 // the last of these days
	peak     int               // most cameras within the window that were normal, before today
	high     int               // the same today
	today    int64             // the day
	since    int64             // first login
}

// usedProgram is a program and when it was used first. It is known from the next day on, or at once while the network is new.
type usedProgram struct {
	name  string
	since int64
}

type cameraLogin struct {
	camera *device.Device // nil if it is gone
	at     int64
}

func newCameraFanout(p CameraFanoutParams) *cameraFanout {
	return &cameraFanout{p: p, sources: newTable[caller, cameraUser](p.MaxSources), actions: newTable[caller, cameraActions](p.MaxSources),
		boots: newTable[uint32, int64](p.MaxSources), entries: newEntries(p.MaxSources)}
}

func (o *cameraFanout) Rule() Rule { return cameraFanoutRule.Rule }

func (o *cameraFanout) Kinds() []Kind { return []Kind{SessionOpened, SessionFact, LinkFact} }

func (o *cameraFanout) setParams(p CameraFanoutParams) {
	o.p = p
	o.sources.limit(p.MaxSources)
	o.actions.limit(p.MaxSources)
	o.boots.limit(p.MaxSources)
	o.entries.limit(p.MaxSources)
}

func (o *cameraFanout) parts(r *device.Registry) []snapshot.Part {
	who := func(c *snapshot.Codec, k *caller) { k.walk(c) }
	return []snapshot.Part{
		o.sources.part("D28.sources/1", who, func(c *snapshot.Codec, x *cameraUser) {
			snapshot.List(c, &x.recent, maxFleet, func(l *cameraLogin) {
				r.Ref(c, &l.camera)
				c.Time(&l.at)
			})
			snapshot.List(c, &x.fleet, maxFleet, func(id *uint32) { deviceKey(c, id) })
			snapshot.List(c, &x.programs, maxPrograms, func(p *usedProgram) {
				c.String(&p.name)
				c.Time(&p.since)
			})
			for i := range x.days {
				snapshot.Number(c, &x.days[i])
				snapshot.Number(c, &x.last[i])
			}
			c.Int(&x.peak)
			c.Int(&x.high)
			c.Time(&x.today)
			c.Time(&x.since)
		}),
		o.actions.part("D28.actions/1", who, func(c *snapshot.Codec, x *cameraActions) { x.walk(c, r) }),
		o.entries.saved("D28"),
		snapshot.Single("D28/1", func(c *snapshot.Codec) { c.Time(&o.start) }),
	}
}

func (o *cameraFanout) evictions() uint64 {
	return o.sources.evicted() + o.actions.evicted() + o.boots.evicted() + o.entries.evicted()
}

func (o *cameraFanout) Tick(now int64, c *Context) {
	o.sources.expire(now - 60*day)
	o.actions.expire(now - 2*day)
	o.boots.expire(now - int64(o.p.BootSeconds)*second)
	o.entries.expire(now - day)
}

func (o *cameraFanout) Observe(e *Event, c *Context) {
	if o.start == 0 {
		o.start = e.Time
	}
	if e.Initiator != nil && booting(e.Fact) {
		*o.boots.put(e.Initiator.ID, c.Now) = c.Now
		return
	}
	if e.Kind != SessionFact {
		return
	}
	o.entries.observe(e, c)
	in, ok := loginOf(e.Fact)
	if ok && e.Responder != nil && onCamera(e.Responder, in.protocol) {
		o.login(e, c, programOf(e.Fact))
	}
}

// booting reports whether a message is one with which a host that has just started asks for or checks its address: DHCP (RFC 2131 section
// 4.4) or an ARP probe (RFC 5227).
func booting(f dissect.Fact) bool {
	switch f := f.(type) {
	case *dissect.DHCPMessage:
		return f.Type == "discover"
	case *dissect.ARPMessage:
		return f.Probe
	}
	return false
}

// onCamera reports whether a login is one on a camera or recorder, by the role of the device or by the protocol.
func onCamera(d *device.Device, protocol string) bool {
	switch protocol {
	case "rtsp", "dhip", "dvrip", "xmeye", "hcnet":
		return d.Role == device.Unknown || d.Role == device.Camera || isRecorder(d)
	}
	return d.Role == device.Camera && (d.Declared || d.Level >= device.Hint) || isRecorder(d)
}

// programOf returns the program that a client names, "" if it names none.
func programOf(f dissect.Fact) string {
	switch f := f.(type) {
	case *dissect.HTTPExchange:
		return product(f.UserAgent)
	case *dissect.RTSPExchange:
		return product(f.UserAgent)
	}
	return ""
}

func (o *cameraFanout) login(e *Event, c *Context, program string) {
	who := actorOf(e)
	entered := o.entries.since(e.Initiator, c.Now, o.p.EntrySeconds)
	x := o.sources.put(who, c.Now)
	if x.since == 0 {
		x.since = c.Now
	}
	x.log(e.Responder, c.Now, int64(o.p.WindowSeconds)*second)
	why := o.unusual(e, c, x, program, entered)
	if why != "" {
		o.report(e, c, who, x, program, why, entered)
		return
	}
	if entered == nil {
		x.learn(e.Responder.ID, program, c.Now, o.learning(c))
	}
}

// log notes a login and drops those before the window.
func (x *cameraUser) log(camera *device.Device, now, window int64) {
	x.recent = slices.DeleteFunc(x.recent, func(l cameraLogin) bool { return l.camera == camera || l.at < now-window })
	if len(x.recent) >= maxFleet {
		x.recent = slices.Delete(x.recent, 0, 1)
	}
	x.recent = append(x.recent, cameraLogin{camera, now})
}

// learn takes a login as normal. What belongs to the habits of the host counts from the next day on, so that a burst does not excuse itself.
func (x *cameraUser) learn(camera uint32, program string, now int64, learning bool) {
	if d := now / day; d != x.today {
		x.peak, x.high, x.today = max(x.peak, x.high), 0, d
	}
	x.high = max(x.high, len(x.recent))
	if learning {
		x.peak = max(x.peak, x.high)
	}
	x.fleet = addDistinct(x.fleet, camera, maxFleet)
	if !slices.ContainsFunc(x.programs, func(p usedProgram) bool { return p.name == program }) {
		if len(x.programs) >= maxPrograms {
			x.programs = slices.Delete(x.programs, 0, 1)
		}
		since := now
		if learning {
			since = 0
		}
		x.programs = append(x.programs, usedProgram{program, since})
	}
	h, today := now/hour%hoursADay, uint16(now/day)
	if x.last[h] != today {
		x.last[h], x.days[h] = today, min(x.days[h], 254)+1
	}
}

// knows reports whether the host has used a program before today. A host of which no program is known may use any.
func (x *cameraUser) knows(program string, now int64) bool {
	none := true
	for _, p := range x.programs {
		if now-p.since >= day || p.since == 0 {
			none = none && p.name == ""
			if p.name == program {
				return true
			}
		}
	}
	return none || program == ""
}

// usualHour reports whether the host has logged in at about this time of the day on at least two days.
func (x *cameraUser) usualHour(now int64) bool {
	for _, d := range []int64{hoursADay - 1, 0, 1} {
		if x.days[(now/hour+d)%hoursADay] >= 2 {
			return true
		}
	}
	return false
}

// The reasons for which logins to many cameras are unusual.
const (
	whyEntered  = "entered"
	whyExternal = "external_peer"
	whyProgram  = "new_program"
	whyHour     = "unusual_hour"
	whyHost     = "unusual_host"
)

func (o *cameraFanout) learning(c *Context) bool { return c.Now-o.start < int64(o.p.LearnHours)*hour }

// unusual returns why the logins of a host to many cameras are unusual, "" if they are not, or not many.
func (o *cameraFanout) unusual(e *Event, c *Context, x *cameraUser, program string, entered *entrance) string {
	n := len(x.recent)
	if n < o.p.Cameras {
		return ""
	}
	switch {
	case entered != nil:
		return whyEntered
	case c.exempt(e, o.Rule()):
		return ""
	case c.external(e.Initiator, addr(&e.Session.Initiator, e.Session.V6)):
		return whyExternal
	case o.learning(c), o.booted(e, c, x):
		return ""
	}
	routine := isRecorder(e.Initiator) || len(x.fleet) >= o.p.Cameras && c.Now-x.since >= int64(o.p.LearnHours)*hour
	many := n >= max(o.p.Cameras, x.peak+o.p.Above)
	switch {
	case routine && !x.knows(program, c.Now):
		return whyProgram
	case routine && many && !x.usualHour(c.Now) && float64(n) > o.p.FleetShare*float64(len(x.fleet)):
		return whyHour
	case !routine && many:
		return whyHost
	}
	return ""
}

// booted reports whether the host, or all cameras that it has logged in to, have just started: after a power cut they meet again.
func (o *cameraFanout) booted(e *Event, c *Context, x *cameraUser) bool {
	recent := func(id uint32) bool {
		at := o.boots.lru.Peek(id)
		return at != nil && c.Now-at.val <= int64(o.p.BootSeconds)*second
	}
	if e.Initiator != nil && recent(e.Initiator.ID) {
		return true
	}
	return !slices.ContainsFunc(x.recent, func(l cameraLogin) bool { return l.camera == nil || !recent(l.camera.ID) })
}

func (o *cameraFanout) report(e *Event, c *Context, who caller, x *cameraUser, program, why string, entered *entrance) {
	d := o.actions.put(who, c.Now)
	if d.count == 0 || c.Now-d.last > day { // the cameras before the one that made it unusual belong to it
		for _, l := range x.recent {
			if l.camera != nil && l.camera != e.Responder {
				d.begin(l.at, day)
				d.addPeer(l.at, l.camera.IP())
			}
		}
	}
	if d.note(e, c.Now, service(&Event{Session: e.Session, App: e.App})) {
		c.Emit(o.finding(e, c, d, x, program, why, entered))
	}
}

func (o *cameraFanout) finding(e *Event, c *Context, d *cameraActions, x *cameraUser, program, why string, entered *entrance) *Finding {
	f := c.actorFinding(o.Rule(), e, d)
	f.Key, f.Stage = "cameras", StageFanOut
	if e.Initiator == nil {
		f.Key += " " + f.Peer.IP
	}
	f.Severity = map[string]Severity{whyEntered: Critical, whyExternal: High, whyProgram: High, whyHour: Medium, whyHost: Medium}[why]
	actor, cameras := f.actorName(e), Plural(len(d.peers), "camera", "cameras")
	f.Brief = "logs in to " + cameras
	if e.Initiator == nil {
		f.Brief = "logged in to from " + actor.brief() + ", like others"
	}
	f.Title = headline("%s logs in to "+cameras+" in a short time", actor)
	f.Message = fmt.Sprintf("Expected: %s logs in to at most %s within %s. Seen: since %s %s on %s, the last with %s.", actor.full,
		Plural(max(x.peak, o.p.Cameras-1), "camera", "cameras"), span(int64(o.p.WindowSeconds)*second), clock(d.first), Plural(d.count, "login", "logins"), listing(d.peers, 12), programName(program))
	switch why {
	case whyEntered:
		entered.explain(f, c.Now)
	case whyExternal:
		f.Reasons = append(f.Reasons, Reason{Code: why, Text: "the logins come from outside the network", Weight: 0.3})
	case whyProgram:
		f.Reasons = append(f.Reasons, Reason{Code: why, Text: "it used another program for its logins before", Weight: 0.3})
	case whyHour:
		f.Reasons = append(f.Reasons, Reason{Code: why, Text: "it never logs in to cameras at this time of the day", Weight: 0.2})
	default:
		f.Reasons = append(f.Reasons, Reason{Code: why, Text: "it is no recorder, and was not seen to log in to so many cameras before", Weight: 0.2})
	}
	f.Reasons = append(f.Reasons, Reason{Code: "many_cameras", Text: "logins on " + cameras, Weight: 0.4},
		benign("the cameras or the platform were restarted, or an administrator works on all cameras"))
	f.Evidence = []Evidence{{Kind: "camera_logins", Summary: "logins on " + cameras, Data: map[string]any{
		"cameras": slices.Clone(d.peers), "logins": d.count, "program": programName(program), "usual": x.peak}}}
	f.Recommendation = cameraFanoutRule.advise("", f.Device)
	return f
}
