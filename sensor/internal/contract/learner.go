// SPDX-License-Identifier: Apache-2.0

package contract

import (
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/session"
)

// LearnConfig configures a Learner.
type LearnConfig struct {
	MinDays    int // days of learning before a contract is reviewed
	MaxDays    int // days after which it is reviewed although new behavior still appears
	ReviewDays int // days of review after which it is armed; 0: only an analyst arms it
	MaxEntries int // entries and candidates of one device
	MaxTotal   int // of all devices
	MaxDevices int
}

// EntriesLimit bounds MaxEntries, and what one contract takes from a state file or a document. TotalLimit bounds MaxTotal.
const (
	EntriesLimit = 10_000
	TotalLimit   = 10_000_000
)

// DefaultLearnConfig returns the defaults.
func DefaultLearnConfig() LearnConfig {
	return LearnConfig{MinDays: 7, MaxDays: 30, ReviewDays: 7, MaxEntries: 512, MaxTotal: 1_000_000, MaxDevices: device.DefaultMaxDevices}
}

const (
	maxUnseen  = 0.01 // estimate at which learning may end
	quietDays  = 7    // without anything new after which it may end as well
	staleDays  = 90
	idleDays   = 30 // without a session after which a contract that is still being learned is dropped
	suspectNs  = dayNs
	siblings   = 3 // names of one domain after which the domain stands for them
	watchedMax = 400
)

// Learner learns a contract for each device: what it opens and what it answers. It knows no clock but the times that it is given.
type Learner struct {
	cfg     LearnConfig
	devices map[string]*Learned
	total   int                            // entries of all
	day     uint32                         // of the last tick, since the epoch
	watched []uint32                       // days on which a session was seen, in rising order
	roles   map[device.Role]map[string]int // countries to which the contracts of a role lead, and how many of them

	refused  uint64 // devices that were not learned because there are too many
	varied   uint64 // contracts that became too_varied
	doubtful uint64 // sessions that were not learned because of an incident, the role or an admin port
	gone     []string
	goneKeys []goneEntry
	dirty    []*Learned // changed since they were saved
	saving   bool
}

type goneEntry struct {
	device string
	key    Key
}

// NewLearner returns a Learner that knows nothing.
func NewLearner(cfg LearnConfig) *Learner {
	return &Learner{cfg: cfg, devices: map[string]*Learned{}, roles: map[device.Role]map[string]int{}}
}

// Reconfigure applies another configuration. Contracts that are over the new limits stay.
func (l *Learner) Reconfigure(cfg LearnConfig) { l.cfg = cfg }

// Of returns the contract of a device, nil if it has had no session.
func (l *Learner) Of(d *device.Device) *Learned {
	if l == nil || d == nil || len(l.devices) == 0 { // as in a capture of one day
		return nil
	}
	return l.devices[d.Key]
}

// EnforcedOf returns the contract of a device if it decides about sessions, else nil.
func (l *Learner) EnforcedOf(d *device.Device) *Learned {
	if c := l.Of(d); c != nil && c.Enforced() {
		return c
	}
	return nil
}

// Decides reports whether the contract of a device has entries that allow sessions.
func (l *Learner) Decides(d *device.Device) bool { return l.Of(d).decides() }

// Wants reports whether a session of a device that began at start is worth reporting to Use. It is cheap. A contract begins on the second day on
// which a device is seen: most devices that come once, such as guests and scanners, never return, and must not cost memory.
func (l *Learner) Wants(d *device.Device, start int64) bool {
	if l == nil || d == nil {
		return false
	}
	if c := l.Of(d); c != nil {
		return c.State != TooVaried
	}
	return start/dayNs > d.FirstSeen/dayNs
}

// Use records a session that was answered and has ended. breach is true if the template of the role forbids it, or the peer is on a list of threat intelligence.
func (l *Learner) Use(d *device.Device, x *Contact, v *session.View, breach bool) {
	k := x.Key
	c := l.contract(d, v.Start)
	if c == nil {
		return
	}
	c.LastUse = max(c.LastUse, v.End)
	far := &v.Responder
	if k.Dir == session.In {
		far = &v.Initiator
	}
	switch {
	case v.Start < c.Suspect || breach || k.Dir == session.In && k.Peer.Kind == Outside && adminPort(k.Port):
		l.doubtful++
		return
	case c.State == TooVaried:
		return
	}
	e := l.entry(c, x, v.End)
	if e == nil {
		return
	}
	e.Addr = far.Addr
	if k.Peer.Bare() {
		e.gaps.add(v.Start)
	}
	l.spread(c, e, v)
}

// spread counts a session once on each day on which it lasted, so that one that never ends counts like those that begin every day. It counts at
// its end, so that an incident within the next hour takes it back.
func (l *Learner) spread(c *Learned, e *LearnedEntry, v *session.View) {
	for at := max(v.Start, v.End-watchedMax*dayNs); at <= v.End; at = (at/dayNs + 1) * dayNs {
		e.use(uint32(min((at/dayNs+1)*dayNs-1, v.End)/hourNs), 1)
		c.Week[hourOfWeek(at)]++
		l.watch(uint32(at / dayNs))
	}
	e.changed = true
}

// watch notes a day on which something was seen.
func (l *Learner) watch(day uint32) {
	i := len(l.watched)
	for i > 0 && l.watched[i-1] > day {
		i--
	}
	if i > 0 && l.watched[i-1] == day {
		return
	}
	l.watched = append(l.watched, 0)
	copy(l.watched[i+1:], l.watched[i:])
	l.watched[i] = day
	l.watched = l.watched[max(0, len(l.watched)-watchedMax):]
}

// contract returns the contract of a device and begins one if there is none; nil if there are too many.
func (l *Learner) contract(d *device.Device, now int64) *Learned {
	c := l.devices[d.Key]
	if c == nil {
		if len(l.devices) >= l.cfg.MaxDevices {
			l.refused++
			return nil
		}
		c = &Learned{Device: d.Key}
		c.reset(now)
		l.devices[d.Key] = c
	}
	if d.Level >= device.Probable {
		c.Role = d.Role
	}
	c.updated(d, now)
	l.touch(c)
	return c
}

// touch notes that a contract must be saved.
func (l *Learner) touch(c *Learned) {
	if l.saving && !c.changed {
		c.changed = true
		l.dirty = append(l.dirty, c)
	}
}

// entry returns the entry that a session belongs to. While the contract is learned there is always one; later it is nil if none fits.
func (l *Learner) entry(c *Learned, x *Contact, now int64) *LearnedEntry {
	k := x.Key
	if e := c.entries[k]; e != nil {
		return e
	}
	domain := ""
	if k.Peer.Kind == ByName {
		domain = registered(k.Peer.Text)
	}
	wild := k
	if wild.Peer = (PeerKey{Kind: ByDomain, Text: domain}); domain != "" && domain != k.Peer.Text {
		if e := c.entries[wild]; e != nil {
			return e
		}
	}
	if c.State != Learning || c.declared {
		if r, e := c.Evaluate(x, now); r == Allows {
			return e
		}
	}
	if c.State != Learning {
		return nil
	}
	if len(c.entries) >= l.cfg.MaxEntries || l.total >= l.cfg.MaxTotal {
		l.tooVaried(c, now)
		return nil
	}
	e := &LearnedEntry{Key: k}
	l.add(c, e)
	c.NewAt = now
	if domain != "" && domain != k.Peer.Text {
		e = l.join(c, e, wild, now)
	}
	return e
}

// tooVaried ends the contract of a device that does too much for one, and frees its memory.
func (l *Learner) tooVaried(c *Learned, now int64) {
	l.drop(c, func(*LearnedEntry) bool { return true })
	c.entries = nil
	c.enter(TooVaried, now)
	l.varied++
}

func (l *Learner) add(c *Learned, e *LearnedEntry) {
	e.changed = true
	c.entries[e.Key] = e
	c.declared = c.declared || e.declared()
	l.touch(c)
	l.total++
}

// join replaces the names of a domain by the domain if there are enough with the same protocol, port and application.
func (l *Learner) join(c *Learned, e *LearnedEntry, wild Key, now int64) *LearnedEntry {
	same := func(x *LearnedEntry) bool {
		return x.Peer.Kind == ByName && x.Dir == wild.Dir && x.Proto == wild.Proto && x.Port == wild.Port && x.App == wild.App && below(x.Peer.Text, wild.Peer.Text)
	}
	n := 0
	for _, x := range c.entries {
		if same(x) {
			n++
		}
	}
	if n < siblings {
		return e
	}
	all := &LearnedEntry{Key: wild}
	for _, x := range c.entries {
		if same(x) {
			all.take(x, uint32(now/hourNs))
		}
	}
	l.drop(c, same)
	l.add(c, all)
	return all
}

// drop removes entries.
func (l *Learner) drop(c *Learned, which func(*LearnedEntry) bool) {
	for k, e := range c.entries {
		if which(e) {
			delete(c.entries, k)
			l.total--
			if l.saving {
				l.goneKeys = append(l.goneKeys, goneEntry{c.Device, k})
			}
		}
	}
}

// Incident reports that an incident of medium severity or more is open on a device: nothing is learned for a day after its last finding, and what
// was seen in the hour before it is discarded.
func (l *Learner) Incident(d *device.Device, now int64) {
	c := l.Of(d)
	if c == nil {
		if l == nil || d == nil {
			return
		}
		if c = l.contract(d, now); c == nil {
			return
		}
	}
	hour := uint32(now / hourNs)
	if c.Suspect < now {
		for _, e := range c.entries {
			if e.settle(hour); e.held.n != [2]uint32{} {
				e.held.n, e.changed = [2]uint32{}, true
			}
		}
		l.drop(c, func(e *LearnedEntry) bool { return !e.Learned && e.Uses == 0 })
	}
	c.Suspect = now + suspectNs
	l.touch(c)
}

// Move moves the contract of a device to its new key. If there is one already, the older of both stays.
func (l *Learner) Move(from string, to *device.Device) {
	c := l.devices[from]
	if c == nil || from == to.Key {
		return
	}
	if o := l.devices[to.Key]; o != nil {
		if o.Began <= c.Began {
			l.forget(c)
			return
		}
		l.forget(o)
	}
	entries := c.entries
	l.forget(c)
	c.entries = map[Key]*LearnedEntry{}
	c.Device = to.Key
	for _, e := range entries {
		l.add(c, e)
	}
	l.devices[to.Key] = c
	l.touch(c)
}

// forget removes a contract. Its entries stay in the map that it had.
func (l *Learner) forget(c *Learned) {
	kept := c.entries
	c.entries = make(map[Key]*LearnedEntry, len(kept))
	for k := range kept {
		if l.total--; l.saving {
			l.goneKeys = append(l.goneKeys, goneEntry{c.Device, k})
		}
	}
	delete(l.devices, c.Device)
	c.entries = kept
	if l.saving {
		l.gone = append(l.gone, c.Device)
	}
}

// Counts are the counters of a Learner.
type Counts struct{ Contracts, Entries, Refused, TooVaried, Doubtful uint64 }

// Counts returns the counters.
func (l *Learner) Counts() Counts {
	if l == nil {
		return Counts{}
	}
	return Counts{uint64(len(l.devices)), uint64(l.total), l.refused, l.varied, l.doubtful}
}
