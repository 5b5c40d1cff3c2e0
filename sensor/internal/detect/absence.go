// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"math/bits"

	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/watchtime"
)

var _ = add(absenceRule)

// absenceRule registers D35.
var absenceRule = register(registration{
	Rule: Rule{
		ID: "D35", Name: "Disappeared device", Kind: "disappeared_device", Version: 1, Reliability: 0.3,
		Attack: join(enterprise(taImpact, "T1489", "T1531"), ics(icsImpact, "T0815", "T0829")),
	},
	advice: map[string]steps{
		"": {
			"Check whether the device has power and link: look at its switch port.",
			"If it runs, check that its port is still part of the mirror session.",
			"If it was removed on purpose, delete it from the inventory; otherwise find out who was there.",
		},
		"many": {
			"Check the switch to which the devices are connected, its power, and the link to it.",
			"Check that the mirror session still copies their ports or their VLAN.",
			"If both work, look at each device of the list: somebody may have switched them off together.",
		},
	},
}, DefaultAbsenceParams, newAbsence)

// AbsenceParams are the parameters of D35.
type AbsenceParams struct {
	StreamMinutes int     `yaml:"stream_minutes"` // watched minutes without a frame of a camera that streamed
	SilentHours   int     `yaml:"silent_hours"`   // watched hours without a frame of any other device
	Gaps          int     `yaml:"gaps"`           // at least so many times its longest gap until then
	RegularHours  int     `yaml:"regular_hours"`  // a device with a longer gap is not regular: it is switched off at times
	LearnDays     int     `yaml:"learn_days"`     // watched days after which a device that does not stream can be regular
	AtOnce        int     `yaml:"at_once"`        // so many devices of a VLAN that disappear at once are a fault of the mirror or the network
	AtOnceShare   float64 `yaml:"at_once_share"`  // if they are this share of its devices
	MaxDevices    int     `yaml:"max_devices"`    // devices whose presence is kept
}

// DefaultAbsenceParams returns the defaults of D35.
func DefaultAbsenceParams() AbsenceParams {
	return AbsenceParams{StreamMinutes: 15, SilentHours: 24, Gaps: 3, RegularHours: 8, LearnDays: 7, AtOnce: 3, AtOnceShare: 0.5, MaxDevices: 100_000}
}

// absence is D35: a device whose frames were seen regularly is not seen any more, while others of its network are. Only watched time counts.
type absence struct {
	p      AbsenceParams
	next   int64                         // time of the next check
	seen   *table[uint32, presence]      // by device, in the order in which they were last seen
	gone   *table[uint32, disappearance] // reported
	many   *table[uint16, outage]        // devices of a VLAN that disappeared at once
	found  []uint32                      // scratch of check
	recent [recentDevices]recentDevice   `snapshot:"-"`
}

// presence is when a device was seen.
type presence struct {
	dev         *device.Device
	first, mark watchtime.Mark // of the first and the last frame
	last        int64
	longest     int64    // gap, watched
	streams     *streams // nil until a session makes progress
}

// streams is when a device sent packets in sessions that last.
type streams struct {
	minutes uint64 // before the last one in which it was seen, one bit each, the latest in the lowest bit
	sent    [maxSent]sent
}

// recentDevices is how many devices are recognized as heard within a second. It is a power of two.
const recentDevices = 1 << 14

// recentDevice is a device and the second of the capture clock in which it was heard last.
type recentDevice struct {
	device uint32
	second int64
}

// maxSent is how many sessions of a device are compared with their last progress.
const maxSent = 4

// sent is how many packets a device had sent in a session.
type sent struct{ session, packets uint64 }

// disappearance is a device that was reported.
type disappearance struct {
	dev   *device.Device
	since int64
	at    int64 // of the report
}

// outage is when devices of a VLAN disappeared at once. One alert is about all of them.
type outage struct {
	at    int64 // last frame of the first that was found
	count int   // devices that were seen last within atOnce of it
}

// atOnce is how far apart devices that disappear together are seen last.
const atOnce = 5 * minute

const maxVLANs = 1 << 12

func newAbsence(p AbsenceParams) *absence {
	return &absence{p: p, seen: newTable[uint32, presence](p.MaxDevices), gone: newTable[uint32, disappearance](p.MaxDevices),
		many: newTable[uint16, outage](maxVLANs)}
}

func (a *absence) Rule() Rule { return absenceRule.Rule }

func (a *absence) Kinds() []Kind {
	return []Kind{SessionOpened, SessionState, SessionFact, SessionProgress, LinkFact}
}

func (a *absence) setParams(p AbsenceParams) {
	a.p = p
	a.seen.limit(p.MaxDevices)
	a.gone.limit(p.MaxDevices)
}

func (a *absence) parts(r *device.Registry) []snapshot.Part {
	return []snapshot.Part{
		a.seen.part("D35.seen/3", deviceKey, func(c *snapshot.Codec, x *presence) {
			r.Ref(c, &x.dev)
			x.first.Walk(c)
			x.mark.Walk(c)
			c.Time(&x.last)
			c.Time(&x.longest)
			snapshot.Pointer(c, &x.streams, func(s *streams) {
				c.Fixed(&s.minutes)
				for i := range s.sent {
					c.Uint(&s.sent[i].session)
					c.Uint(&s.sent[i].packets)
				}
			})
		}),
		a.gone.part("D35.gone/1", deviceKey, func(c *snapshot.Codec, x *disappearance) {
			r.Ref(c, &x.dev)
			c.Time(&x.since)
			c.Time(&x.at)
		}),
		a.many.part("D35.many/1", func(c *snapshot.Codec, k *uint16) { snapshot.Number(c, k) }, func(c *snapshot.Codec, x *outage) {
			c.Time(&x.at)
			c.Int(&x.count)
		}),
		snapshot.Single("D35/1", func(c *snapshot.Codec) { c.Time(&a.next) }),
	}
}

func (a *absence) evictions() uint64 { return a.seen.evicted() + a.gone.evicted() + a.many.evicted() }

func (a *absence) Observe(e *Event, c *Context) {
	if e.Kind == LinkFact {
		a.heard(e.Initiator, e.Time, false, c)
		return
	}
	v := e.Session
	switch e.Kind {
	case SessionFact:
		_, d := e.speaker()
		a.heard(d, e.Time, false, c)
	case SessionOpened:
		a.heard(e.Initiator, e.Time, false, c)
	case SessionState:
		if v.Packets[session.In] > 0 {
			a.heard(e.Responder, e.Time, false, c)
		}
	case SessionProgress:
		if end := min(e.Time, max(v.End, v.Start)); a.grown(e.Initiator, v, session.Out) {
			a.heard(e.Initiator, end, true, c)
		}
		if end := min(e.Time, max(v.End, v.Start)); a.grown(e.Responder, v, session.In) {
			a.heard(e.Responder, end, true, c)
		}
	}
}

// grown reports whether a device sent packets in a session since its last progress, which its peer alone may have caused: it repeats
// what the device no longer acknowledges. Of a device with more than maxSent sessions the oldest count as grown.
func (a *absence) grown(d *device.Device, v *session.View, dir session.Dir) bool {
	if d == nil || v.Packets[dir] == 0 {
		return false
	}
	x := a.seen.lru.Peek(d.ID)
	if x == nil {
		return true
	}
	n := v.Packets[dir]
	all := &x.val.streaming().sent
	for i := range all {
		if s := &all[i]; s.session == v.ID {
			more := n > s.packets
			s.packets = n
			return more
		}
	}
	copy(all[1:], all[:])
	all[0] = sent{v.ID, n}
	return true
}

// streaming returns x.streams, which it makes if necessary.
func (x *presence) streaming() *streams {
	if x.streams == nil {
		x.streams = &streams{}
	}
	return x.streams
}

// heard records that a device sent something.
func (a *absence) heard(d *device.Device, at int64, streams bool, c *Context) {
	if d == nil {
		return
	}
	// Most devices are heard many times a second: only the first time counts.
	if r := &a.recent[d.ID%recentDevices]; r.device != d.ID || r.second != at/second {
		*r = recentDevice{d.ID, at / second}
	} else if !streams {
		return
	}
	x := a.seen.put(d.ID, c.Now)
	if x.dev == nil {
		m := c.Devices.Mark(c.Now)
		*x = presence{dev: d, first: m, mark: m, last: at}
		if g, ok := a.gone.take(d.ID); ok {
			a.back(&g, d, at, c)
		}
	}
	if at < x.last {
		return
	}
	if at-x.last >= minute {
		x.longest = max(x.longest, c.Devices.Since(x.mark, c.Now)-(c.Now-at))
	}
	if x.streams != nil {
		x.streams.minutes <<= min(at/minute-x.last/minute, 64)
	}
	if streams {
		x.streaming().minutes |= 1
	}
	x.mark, x.last = c.Devices.Mark(c.Now), at
	x.mark.At -= c.Now - at
}

// Tick looks for devices that are missing, once a minute.
func (a *absence) Tick(now int64, c *Context) {
	if now < a.next {
		return
	}
	a.next = now + minute
	a.gone.expire(now - 30*day)
	a.many.expire(now - 30*day)
	const lossy = 0.01 // share of frames; see D41
	if c.Quality.Blind != "" || c.Quality.LossRatio > lossy {
		return
	}
	a.found = a.found[:0]
	for id, x := range a.seen.lru.All() {
		if now-x.used < int64(a.p.StreamMinutes)*minute {
			break
		}
		if x.val.dev == nil || a.missing(&x.val, now, c) || !a.mayReturn(&x.val, now, c) {
			a.found = append(a.found, id)
		}
	}
	if len(a.found) > 0 {
		a.leave(now, c)
	}
}

// missing reports whether a device was not seen for longer than it ever was while it was regular.
func (a *absence) missing(x *presence, now int64, c *Context) bool {
	away := c.Devices.Since(x.mark, now)
	if a.streaming(x) && away >= max(int64(a.p.StreamMinutes)*minute, int64(a.p.Gaps)*x.longest) {
		return true
	}
	return a.regular(x, c) && away >= max(int64(a.p.SilentHours)*hour, int64(a.p.Gaps)*x.longest)
}

// mayReturn reports whether a device that is away may become missing, or may still be regular when it comes back.
func (a *absence) mayReturn(x *presence, now int64, c *Context) bool {
	away := c.Devices.Since(x.mark, now)
	return away < int64(a.p.RegularHours)*hour || a.regular(x, c) || a.streaming(x) && away < int64(a.p.SilentHours)*hour
}

// streaming reports whether a camera streamed in nearly all of the last hour in which it was seen.
func (a *absence) streaming(x *presence) bool {
	const most, hourly = 54, 1<<60 - 1
	return x.streams != nil && x.dev.Role == device.Camera && bits.OnesCount64(x.streams.minutes&hourly) >= most
}

// regular reports whether a device was there all the time. Phones and computers leave, and one that is known by its address or by a random
// MAC may be there under another.
func (a *absence) regular(x *presence, c *Context) bool {
	d := x.dev
	if x.longest > int64(a.p.RegularHours)*hour || c.Devices.Between(x.first, x.mark) < int64(a.p.LearnDays)*day {
		return false
	}
	return d.Declared || !d.MAC.IsZero() && !d.RandomMAC && d.Role != device.Phone && d.Role != device.Workstation
}

// leave removes the devices in a.found, and reports those that are missing. Devices that disappear at once are one alert, because their
// switch, or the mirror of their VLAN, has failed.
func (a *absence) leave(now int64, c *Context) {
	missing := make([]presence, 0, len(a.found))
	for _, id := range a.found {
		if x := a.seen.lru.Peek(id); x.val.dev != nil && a.missing(&x.val, now, c) && c.Devices.ByKey(x.val.dev.Key) == x.val.dev {
			missing = append(missing, x.val)
		}
	}
	alone := make([]bool, len(missing))
	for i := range missing {
		alone[i] = !a.together(&missing[i], now, c)
	}
	for _, id := range a.found {
		a.seen.drop(id)
	}
	for i := range missing {
		if x := &missing[i]; alone[i] {
			*a.gone.put(x.dev.ID, now) = disappearance{x.dev, x.last, now}
			c.Emit(a.finding(x, now, c))
		}
	}
}

// together reports whether a missing device is no finding of its own: others of its VLAN disappeared at the same time, which is one finding
// for all of them, or nobody else was seen in the last third of its absence, so that the sensor cannot tell.
func (a *absence) together(x *presence, now int64, c *Context) bool {
	vlan := x.mark.VLAN
	if o := a.many.get(vlan, now); o != nil && x.last >= o.at-atOnce && x.last <= o.at+atOnce {
		return true
	}
	var gone []*presence
	there, elsewhere, late := 0, 0, now-(now-x.last)/3
	for _, y := range a.seen.lru.All() {
		switch last := y.val.last; {
		case y.val.mark.VLAN != vlan:
			if last > late {
				elsewhere++
			}
		case last > late:
			there++
		case last >= x.last-atOnce && last <= x.last+atOnce:
			gone = append(gone, &y.val)
		}
	}
	if len(gone) >= a.p.AtOnce && float64(len(gone)) >= a.p.AtOnceShare*float64(len(gone)+there) {
		if there+elsewhere > 0 { // else the whole capture is quiet
			*a.many.put(vlan, now) = outage{x.last, len(gone)}
			c.Emit(a.outage(x, gone, there, now, c))
		}
		return true
	}
	return there == 0
}
