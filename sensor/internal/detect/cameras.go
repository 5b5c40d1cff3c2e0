// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"
	"strings"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
)

// actorOf returns who asks something of a camera: the device that opened the session, or the address of a host that is none.
func actorOf(e *Event) caller {
	if e.Initiator != nil {
		return caller{device: e.Initiator.ID}
	}
	return caller{addr: e.Session.Initiator.Addr}
}

// isRecorder reports whether a device is likely a recorder or a camera platform.
func isRecorder(d *device.Device) bool {
	return d != nil && (d.Role == device.NVR || d.Role == device.VMS) && (d.Declared || d.Level >= device.Hint)
}

// entries holds the last login from outside on each device that the inventory does not expect. Who has got into a platform that way acts on
// the cameras with its address, its passwords and its habits: for a while nothing that was learned about it counts.
type entries struct{ *table[uint32, entrance] }

type entrance struct {
	at   int64
	from packet.Addr
}

func newEntries(limit int) *entries { return &entries{newTable[uint32, entrance](limit)} }

func (n *entries) saved(rule string) snapshot.Part {
	return n.part(rule+".entries/1", deviceKey, func(c *snapshot.Codec, x *entrance) {
		c.Time(&x.at)
		addrKey(c, &x.from)
	})
}

// observe notes a login from outside.
func (n *entries) observe(e *Event, c *Context) {
	if e.Initiator != nil || e.Responder == nil {
		return
	}
	in, ok := loginOf(e.Fact)
	if !ok || in.result != dissect.OutcomeSuccess || in.inferred && (e.Session.Gap || c.Quality.OneWay) ||
		!c.external(nil, addr(&e.Session.Initiator, e.Session.V6)) || c.expected(e, "D08") {
		return
	}
	*n.put(e.Responder.ID, c.Now) = entrance{c.Now, e.Session.Initiator.Addr}
}

// since returns the login from outside on a device within the last so many seconds, nil if there was none. d may be nil.
func (n *entries) since(d *device.Device, now int64, seconds int) *entrance {
	if d == nil {
		return nil
	}
	x := n.get(d.ID, now)
	if x == nil || now-x.at > int64(seconds)*second {
		return nil
	}
	return x
}

// explain adds to a finding what a login from outside means for it.
func (x *entrance) explain(f *Finding, now int64) {
	from := x.from.Netip().String()
	f.Reasons = append(f.Reasons, Reason{Code: "entered", Text: "somebody logged in to it from " + from + " " + span(now-x.at) + " before", Weight: 0.3})
	f.Entities = addDistinct(f.Entities, "ip:"+from, len(f.Entities)+1)
}

// cameraActions is what one actor has done to cameras, as far as it was not expected.
type cameraActions struct {
	counter
	camera  *device.Device // the camera that came first: the finding about a host that is no device is about it
	done    []string       // in the words of the protocol, at most maxListed
	refused int
}

func (x *cameraActions) walk(c *snapshot.Codec, r *device.Registry) {
	x.counter.walk(c)
	r.Ref(c, &x.camera)
	texts(c, &x.done)
	c.Int(&x.refused)
}

// note counts an action on the responder of e and reports whether a report is due: for each new camera, and at 1, 2, 4, 8 … actions.
func (x *cameraActions) note(e *Event, at int64, what string) bool {
	if x.begin(at, day) {
		x.camera, x.done, x.refused = nil, nil, 0
	}
	if x.camera == nil {
		x.camera = e.Responder
	}
	x.done = addDistinct(x.done, Clean(what, 80), maxListed)
	before := len(x.peers)
	due := x.addPeer(at, addr(&e.Session.Responder, e.Session.V6))
	return due || len(x.peers) > before
}

// actorFinding returns a finding about the actor if it is a device, else about the camera that it has come to first.
func (c *Context) actorFinding(r Rule, e *Event, x *cameraActions) *Finding {
	dir := session.Out
	if e.Initiator == nil {
		dir = session.In
	}
	f := c.sessionFinding(r, e, dir)
	if dir == session.In && x.camera != nil && x.camera != e.Responder {
		f.Device, f.DeviceAddr = x.camera, x.camera.IP()
		f.Entities = entities(f)
	}
	f.Start, f.End, f.Total, f.Peers = x.first, max(f.End, c.Now), x.count, slices.Clone(x.peers)
	f.Count = max(1, x.take())
	f.Stage, f.Maintenance = StageControl, c.Contracts.Maintenance(f.Device, c.Now)
	for _, p := range ipEntities(x.peers) {
		f.Entities = addDistinct(f.Entities, p, len(f.Entities)+1)
	}
	return f
}

// actorName names the actor of a finding by actorFinding.
func (f *Finding) actorName(e *Event) name {
	if e.Initiator != nil {
		return f.self()
	}
	return f.other()
}

// targets names the cameras of a finding: "cam-12", or "12 cameras".
func (x *cameraActions) targets(e *Event) name {
	if n := len(x.peers); n != 1 {
		text := Plural(n, "camera", "cameras")
		if n >= maxListed {
			text = "more than " + text
		}
		return name{text, text}
	}
	return label(e.Responder, addr(&e.Session.Responder, e.Session.V6))
}

// product returns the name of a program without its version, by which a User-Agent is compared (RFC 9110 section 10.1.5): updates change the
// version, not the program.
func product(agent string) string {
	if i := strings.IndexAny(agent, "/ (0123456789"); i > 0 {
		agent = agent[:i]
	}
	return Clean(agent, 40)
}

// exempt reports whether the inventory or a policy expects that the initiator of e manages cameras: it is an admin host, or an entry of the
// camera or of the device allows the session.
func (c *Context) exempt(e *Event, r Rule) bool {
	if admin, _ := c.Contracts.AdminHost(addr(&e.Session.Initiator, e.Session.V6)); admin {
		return true
	}
	if e.Responder != nil && c.expected(e, r.ID) {
		return true
	}
	v := c.verdict(e)
	return e.Initiator != nil && v.Exempts(r.ID, c.critical(e))
}

// week is a set of hours of the week (UTC) with the number of times that each was noted.
type week struct {
	hours [3]uint64 // a bit for each of 168 hours
	total int
}

func hourOfWeek(now int64) int { return int(now / hour % (7 * 24)) }

func (w *week) note(now int64) {
	h := hourOfWeek(now)
	w.hours[h/64] |= 1 << (h % 64)
	w.total++
}

// unusual reports whether nothing was noted in this hour of the week nor in those beside it, on any day, though much was noted.
func (w *week) unusual(now int64, enough int) bool {
	if w.total < enough {
		return false
	}
	for d := range 7 {
		for _, near := range []int{-1, 0, 1} {
			h := (hourOfWeek(now) + 24*d + near + 7*24) % (7 * 24)
			if w.hours[h/64]>>(h%64)&1 != 0 {
				return false
			}
		}
	}
	return true
}

func (w *week) walk(c *snapshot.Codec) {
	for i := range w.hours {
		snapshot.Number(c, &w.hours[i])
	}
	c.Int(&w.total)
}

// declaredRecorder reports whether a device is declared as a recorder or platform and its contract allows the session of e.
func (c *Context) declaredRecorder(e *Event) bool {
	return isRecorder(e.Initiator) && e.Initiator.Declared && c.verdict(e).Allowed
}

// raise returns the next severity.
func raise(s Severity) Severity { return min(s+1, Critical) }
