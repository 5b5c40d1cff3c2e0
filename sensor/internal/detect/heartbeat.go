// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"math/bits"
	"slices"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/watchtime"
)

var _ = add(heartbeatRule)

// heartbeatRule registers D47.
var heartbeatRule = register(registration{
	Rule: Rule{
		ID: "D47", Name: "Missing heartbeat", Kind: "missing_heartbeat", Version: 1, Reliability: 0.3,
		Attack: join(enterprise(taImpact, "T1489"), enterprise(taEvasion, "T1562"), ics(icsImpact, "T0815")),
	},
	advice: map[string]steps{
		"": {
			"Ask the owner whether the task was switched off or moved on purpose.",
			"{inspect}",
			"If nobody knows, look for other alerts about the device since then: intruders stop recordings, backups and agents.",
		},
	},
}, DefaultHeartbeatParams, newHeartbeat)

// HeartbeatParams are the parameters of D47.
type HeartbeatParams struct {
	MinDays       int     `yaml:"min_days"`       // of the last 7 days, on which a routine was seen to be regular
	Gaps          float64 `yaml:"gaps"`           // times its longest gap until it is missing
	ShortestHours int     `yaml:"shortest_hours"` // watched hours without it, at least
	AtOnce        int     `yaml:"at_once"`        // so many devices that stop something within 15 minutes are a fault of the network
	MaxDevices    int     `yaml:"max_devices"`    // devices whose routine is kept
}

// DefaultHeartbeatParams returns the defaults of D47.
func DefaultHeartbeatParams() HeartbeatParams {
	return HeartbeatParams{MinDays: 6, Gaps: 2, ShortestHours: 1, AtOnce: 3, MaxDevices: 10_000}
}

const (
	maxRoutines = 16          // routines kept of a device
	routineWeek = 1<<7 - 1    // the last 7 days in routine.days
	checkEvery  = 15 * minute // how often missing routines are looked for, and how close together they stop at once
	routineKept = 14 * day    // how long a routine without a session is kept
)

// heartbeat is D47: a device goes on sending, but something that it did nearly every day has stopped. Devices that people use are left out, as
// what they do depends on their users.
type heartbeat struct {
	p       HeartbeatParams
	next    int64 // time of the next check
	devices *table[uint32, routines]
}

// routines is what a device does regularly.
type routines struct {
	dev  *device.Device
	list []routine
}

// routine is something that a device does again and again: sessions that a device opens to one port of one host, or of any host outside.
type routine struct {
	peer       packet.Addr // zero: outside
	v6         bool
	port       uint16 // 0: none
	proto      uint8
	days       uint64         // on which it was seen, one bit each, that of last in the lowest bit
	last       int64          // when it was seen last
	mark       watchtime.Mark // the same
	longest    int64          // gap, watched
	reportedAt int64          // when it was reported as missing; 0: it was not
	open       uint64         `snapshot:"-"` // the session that is open, 0: none; sessions end with the run
}

func newHeartbeat(p HeartbeatParams) *heartbeat {
	return &heartbeat{p: p, devices: newTable[uint32, routines](p.MaxDevices)}
}

func (h *heartbeat) Rule() Rule { return heartbeatRule.Rule }

func (h *heartbeat) Kinds() []Kind { return []Kind{SessionOpened, SessionProgress, SessionEnded} }

func (h *heartbeat) setParams(p HeartbeatParams) {
	h.p = p
	h.devices.limit(p.MaxDevices)
}

func (h *heartbeat) parts(r *device.Registry) []snapshot.Part {
	return []snapshot.Part{
		h.devices.part("D47.devices/1", deviceKey, func(c *snapshot.Codec, x *routines) {
			r.Ref(c, &x.dev)
			snapshot.List(c, &x.list, maxRoutines, func(b *routine) {
				addrKey(c, &b.peer)
				c.Bool(&b.v6)
				snapshot.Number(c, &b.port)
				snapshot.Number(c, &b.proto)
				c.Fixed(&b.days)
				c.Time(&b.last)
				b.mark.Walk(c)
				c.Time(&b.longest)
				c.Time(&b.reportedAt)
			})
		}),
		snapshot.Single("D47/1", func(c *snapshot.Codec) { c.Time(&h.next) }),
	}
}

func (h *heartbeat) evictions() uint64 { return h.devices.evicted() }

// Observe notes that a device does something: it opens a session, or continues one. What it has begun before counts even if its start was
// not captured.
func (h *heartbeat) Observe(e *Event, c *Context) {
	v := e.Session
	if e.Initiator == nil || !unicast(v) {
		return
	}
	begins := e.Kind == SessionOpened && Originated(e)
	x := h.devices.get(e.Initiator.ID, c.Now)
	if x == nil {
		if !begins || !appliance(e.Initiator, c) {
			return
		}
		x = h.devices.put(e.Initiator.ID, c.Now)
		x.dev = e.Initiator
	}
	b := x.of(e, c, begins)
	if b == nil {
		return
	}
	at := min(c.Now, max(v.End, v.Start))
	h.seen(b, x.dev, e, at, c)
}

// appliance reports whether what a device does depends on nobody who uses it: it is expected to open little, or is known to be a camera,
// recorder or server.
func appliance(d *device.Device, c *Context) bool {
	switch d.Role {
	case device.Camera, device.NVR, device.VMS, device.Server:
		if d.Level == device.Identified {
			return true
		}
	}
	x, _ := c.Contracts.Expect(d, c.Now)
	return x != contract.Normal
}

// of returns the routine that a session belongs to, nil if there is none. If add is set it begins one, in place of one that was seen on one
// day only if there are too many.
func (x *routines) of(e *Event, c *Context, add bool) *routine {
	v := e.Session
	k := routine{v6: v.V6, proto: v.Proto}
	if !c.external(e.Responder, addr(&v.Responder, v.V6)) {
		k.peer = v.Responder.Addr
	}
	if v.HasPorts {
		k.port = v.Responder.Port
	}
	spare := -1
	for i := range x.list {
		b := &x.list[i]
		if b.peer == k.peer && b.port == k.port && b.proto == k.proto && b.v6 == k.v6 {
			return b
		}
		if bits.OnesCount64(b.days) == 1 && b.open == 0 && (spare < 0 || b.last < x.list[spare].last) {
			spare = i
		}
	}
	switch {
	case !add:
		return nil
	case len(x.list) < maxRoutines:
		x.list = append(x.list, k)
		spare = len(x.list) - 1
	case spare < 0:
		return nil
	default:
		x.list[spare] = k
	}
	return &x.list[spare]
}

// seen records that a routine was seen at a time.
func (h *heartbeat) seen(b *routine, d *device.Device, e *Event, at int64, c *Context) {
	if b.days != 0 && b.open == 0 && at > b.last {
		b.longest = max(b.longest, c.Devices.Since(b.mark, c.Now)-(c.Now-at))
	}
	if b.reportedAt != 0 && at > b.last {
		h.back(b, d, at, c)
		*b = routine{peer: b.peer, v6: b.v6, port: b.port, proto: b.proto} // what is usual from now on is to be seen
	}
	if at >= b.last {
		passed := min(at/day-b.last/day, 63) // days
		b.days = b.days<<passed | 1
		if b.open == e.Session.ID { // it lasted through them
			b.days |= 1<<(passed+1) - 1
		}
		b.last, b.mark = at, c.Devices.Mark(c.Now)
		b.mark.At -= c.Now - at
	}
	switch {
	case e.Kind != SessionEnded:
		b.open = e.Session.ID
	case b.open == e.Session.ID:
		b.open = 0
	}
}

// Tick looks for routines that are missing.
func (h *heartbeat) Tick(now int64, c *Context) {
	if now < h.next {
		return
	}
	h.next = now + checkEvery
	h.devices.expire(now - routineKept)
	if c.Quality.Blind != "" || c.Quality.Lossy() {
		return
	}
	for _, x := range h.devices.lru.All() {
		if x.val.dev != nil {
			h.check(&x.val, now, c)
		}
	}
}

// check reports what a device does no longer. A device that is not seen itself is left to D35.
func (h *heartbeat) check(x *routines, now int64, c *Context) {
	var missing []*routine
	for i := range x.list {
		b := &x.list[i]
		if b.reportedAt != 0 || !h.overdue(b, now, h.p.Gaps, c) || x.dev.LastSeen < now-(now-b.last)/3 {
			continue
		}
		b.reportedAt = now
		if h.devicesStopped(b, now, c) < h.p.AtOnce {
			missing = append(missing, b)
		}
	}
	if len(missing) > 0 && c.Devices.ByKey(x.dev.Key) == x.dev {
		slices.SortFunc(missing, func(a, b *routine) int { return int(min(max(a.last-b.last, -1), 1)) })
		c.Emit(h.finding(x.dev, missing, now, c))
	}
}

// overdue reports whether a regular routine was not seen for so many times its longest gap.
func (h *heartbeat) overdue(b *routine, now int64, gaps float64, c *Context) bool {
	if b.open != 0 || bits.OnesCount64(b.days&routineWeek) < h.p.MinDays || now-b.last < int64(h.p.ShortestHours)*hour {
		return false
	}
	away := c.Devices.Since(b.mark, now)
	return away >= int64(h.p.ShortestHours)*hour && float64(away) > gaps*float64(b.longest)
}

// devicesStopped counts the devices that stopped something regular when b stopped.
func (h *heartbeat) devicesStopped(b *routine, now int64, c *Context) (n int) {
	for _, x := range h.devices.lru.All() {
		if slices.ContainsFunc(x.val.list, func(y routine) bool {
			return y.last >= b.last-checkEvery && y.last <= b.last+checkEvery && h.overdue(&y, now, 1, c)
		}) {
			n++
		}
	}
	return n
}

// name names a routine: "554/tcp to 10.20.30.11".
func (b *routine) name() string {
	v := &session.View{Proto: b.proto, HasPorts: b.port != 0, V6: b.v6, Responder: session.Endpoint{Addr: b.peer, Port: b.port}}
	if b.peer == (packet.Addr{}) {
		return portName(&Event{Session: v}) + " to hosts outside"
	}
	return portName(&Event{Session: v}) + " to " + addr(&v.Responder, b.v6).String()
}
