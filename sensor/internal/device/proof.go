// SPDX-License-Identifier: Apache-2.0

package device

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/watchtime"
)

// Frame is a kind of frame that a device sent.
type Frame uint8

// The kinds of frames.
const (
	NoFrame Frame = iota
	ARPRequest
	ARPReply
	NDSolicitation
	NDAdvertisement
	RouterAdvertisement
	Announcement
	TCPFrame
	UDPFrame
	ICMPFrame
	OtherFrame
)

// String returns the name of a kind of frame, "" for NoFrame.
func (f Frame) String() string {
	names := [...]string{"", "ARP request", "ARP reply", "neighbor solicitation", "neighbor advertisement", "router advertisement", "announcement",
		"TCP", "UDP", "ICMP", "IP"}
	if int(f) < len(names) {
		return names[f]
	}
	return ""
}

// frameOf returns the kind of frame that a message on the link is.
func frameOf(f dissect.Fact) Frame {
	switch f := f.(type) {
	case *dissect.ARPMessage:
		if f.Request {
			return ARPRequest
		}
		return ARPReply
	case *dissect.NDMessage:
		switch f.Type {
		case 134:
			return RouterAdvertisement
		case 136:
			return NDAdvertisement
		}
		return NDSolicitation
	}
	return Announcement
}

// frameIn returns the kind of the frames of a session.
func frameIn(v *session.View) Frame {
	switch v.Proto {
	case protoTCP:
		return TCPFrame
	case protoUDP:
		return UDPFrame
	case protoICMP, protoICMP6:
		return ICMPFrame
	}
	return OtherFrame
}

// count adds an ended session to the activity of the hour: what d sent and received in it.
func (d *Device) count(v *session.View, out session.Dir) {
	d.hourOut += v.IPBytes[out]
	d.hourIn += v.IPBytes[out^1]
	if out == session.In && v.Answered() {
		d.hourAnswered++
	}
}

// hourCount is what a device did in the current hour. It is small because each device has one.
type hourCount struct {
	hourOut, hourIn          uint64
	hourOpened, hourAnswered uint32
	uncounted                uint32 // the last hour of which no history was kept although the device did something; 0: none
	hourAlerts               uint16
	lastFrame                Frame // at LastSeen
}

func (t *hourCount) activity() watchtime.Activity {
	return watchtime.Activity{Opened: uint64(t.hourOpened), Answered: uint64(t.hourAnswered), Out: t.hourOut, In: t.hourIn, Alerts: uint64(t.hourAlerts)}
}

func (t *hourCount) add(x *hourCount) {
	t.hourOut, t.hourIn, t.hourOpened, t.hourAnswered = t.hourOut+x.hourOut, t.hourIn+x.hourIn, t.hourOpened+x.hourOpened, t.hourAnswered+x.hourAnswered
	t.hourAlerts, t.uncounted = t.hourAlerts+x.hourAlerts, max(t.uncounted, x.uncounted)
}

func (t *hourCount) walk(c *snapshot.Codec) {
	c.Uint(&t.hourOut)
	c.Uint(&t.hourIn)
	for _, n := range []*uint32{&t.hourOpened, &t.hourAnswered, &t.uncounted} {
		snapshot.Number(c, n)
	}
	snapshot.Number(c, &t.hourAlerts)
	snapshot.Enum(c, &t.lastFrame, OtherFrame)
}

// Alerted counts an alert of a device in the current hour.
func (r *Registry) Alerted(d *Device) {
	if d != nil {
		d.hourAlerts++
		r.changed(d)
	}
}

// maxHistory bounds the bytes of all histories together: a year of hours of 180 devices that are active in each, or 90 days of 750.
const maxHistory = 16 << 20

// histories is what the registry knows of all histories.
type histories struct {
	of      map[uint32]*history // by device ID; only of devices that need one
	hour    uint32              // the current hour since the Unix epoch; 0: none yet
	floor   uint32              // no history begins before this hour, because there was no room
	size    int                 // bytes of all
	limit   int                 // of size
	evicted uint64              // hours that were dropped from all histories because there was no room
}

// NextHour begins an hour of the capture clock, if now is in a new one. What the devices did since the last call becomes a row of their
// histories, if proof wants one for the device; others have none. now is in nanoseconds.
func (r *Registry) NextHour(now int64, proof func(*Device) bool) {
	h := &r.histories
	next := uint32(now / watchtime.NsPerHour)
	if next <= h.hour {
		return
	}
	first := h.hour == 0
	for _, d := range r.byKey {
		switch {
		case first:
		case d.activity() != watchtime.Activity{}:
			r.row(d, proof(d))
		}
	}
	for id, x := range h.of {
		if x.Since+watchtime.KeptHours+24 < next { // once a day
			r.trim(id, x, next-watchtime.KeptHours)
		}
	}
	h.hour = next
	for h.size > h.limit {
		oldest := next
		for _, x := range h.of {
			oldest = min(oldest, x.Since)
		}
		h.floor = oldest + 24
		h.evicted += 24
		for id, x := range h.of {
			r.trim(id, x, h.floor)
		}
	}
}

// row adds the hour that ends to the history of a device.
func (r *Registry) row(d *Device, wanted bool) {
	h := &r.histories
	x := h.of[d.ID]
	switch {
	case !wanted:
		r.forget(d)
		d.uncounted = h.hour
	case x == nil:
		x = &history{History: watchtime.History{Since: r.provenFrom(d, h.hour)}}
		h.of[d.ID] = x
	}
	if wanted && h.hour > x.Last() {
		h.size -= x.Size()
		x.Append(h.hour, d.activity())
		h.size += x.Size()
		r.changedHistory(d.ID, x)
	}
	d.hourCount = hourCount{uncounted: d.uncounted, lastFrame: d.lastFrame}
	r.changed(d)
}

func (r *Registry) trim(id uint32, x *history, before uint32) {
	size := x.Size()
	if x.Trim(before) {
		r.changedHistory(id, x)
	}
	r.histories.size += x.Size() - size
}

// forget drops the history of a device.
func (r *Registry) forget(d *Device) {
	x := r.histories.of[d.ID]
	if x == nil {
		return
	}
	r.histories.size -= x.Size()
	if r.saved != nil && x.kept {
		r.saved.goneHistories = append(r.saved.goneHistories, d.ID)
	}
	delete(r.histories.of, d.ID)
}

// provenFrom returns the first hour of which it is known what a device did in it. hour is the current one.
func (r *Registry) provenFrom(d *Device, hour uint32) uint32 {
	x := r.histories.of[d.ID]
	switch {
	case x != nil:
		return x.Since
	case d.Originated == uint64(d.hourOpened):
		return uint32(d.FirstSeen / watchtime.NsPerHour)
	case d.hourOpened > 0:
		return hour
	}
	return uint32(d.LastOrigination/watchtime.NsPerHour) + 1
}

// inherit gives a device the activity of another that turned out to be the same.
func (r *Registry) inherit(to, from *Device) {
	to.hourCount.add(&from.hourCount)
	h := &r.histories
	x, y := h.of[from.ID], h.of[to.ID]
	if x == nil {
		return
	}
	r.forget(from)
	if y == nil {
		y = &history{History: watchtime.History{Since: x.Since}}
		h.of[to.ID] = y
	}
	h.size -= y.Size()
	y.Merge(&x.History)
	h.size += y.Size()
	r.changedHistory(to.ID, y)
}

// Proof is what shows that a device was silent: how long somebody could have heard it, and what it did in that time.
type Proof struct {
	Since        int64              // capture clock, nanoseconds
	Watched      int64              // seconds since then in which the network was watched with good quality
	Silent       int64              // of these, seconds of the hours in which it opened no session, except to infrastructure
	Loss         float64            // share of packets that were not captured in these hours, 0 to 1
	Activity     watchtime.Activity // since CountedSince
	CountedSince int64
	Opened       []OpenedHour // the last maxOpenedHours hours in which it opened sessions, oldest first
	LastFrame    Frame        // at LastSeen
}

// OpenedHour is an hour in which a device opened sessions.
type OpenedHour struct {
	At     int64 // its begin
	Opened uint64
}

const maxOpenedHours = 24

// LastActive returns the last hour, since the Unix epoch, of which the history of d has a row; 0 if there is none.
func (r *Registry) LastActive(d *Device) uint32 {
	if x := r.histories.of[d.ID]; x != nil {
		return x.Last()
	}
	return 0
}

// Proof returns the proof of the last 90 days until now, or of the time since the device was first seen.
func (r *Registry) Proof(d *Device, now int64) Proof {
	hour := uint32(now / watchtime.NsPerHour)
	from := max(r.provenFrom(d, hour), hour-min(hour, watchtime.KeptHours-1), r.histories.floor)
	p := Proof{Since: d.hourOf(from), CountedSince: d.hourOf(max(from, d.uncounted+1)), LastFrame: d.lastFrame}
	opened := map[uint32]bool{}
	add := func(at uint32, a watchtime.Activity) {
		if at < from {
			return
		}
		p.Activity.Add(a)
		if a.Opened > 0 {
			opened[at] = true
			p.Opened = append(p.Opened, OpenedHour{int64(at) * watchtime.NsPerHour, a.Opened})
		}
	}
	if x := r.histories.of[d.ID]; x != nil {
		for at, a := range x.Rows() {
			add(at, a)
		}
	}
	add(hour, d.activity())
	p.Opened = p.Opened[max(len(p.Opened)-maxOpenedHours, 0):]
	var losses watchtime.Losses
	for at := from; at <= hour; at++ {
		good, l := d.clock.Good(d.seenVLAN, at)
		if begin := int64(at) * watchtime.NsPerHour; begin < d.FirstSeen { // the rest of its first hour
			good = min(good, (begin+watchtime.NsPerHour-d.FirstSeen)/1e9)
		}
		if p.Watched += good; !opened[at] {
			p.Silent += good
		}
		losses.Add(l)
	}
	p.Loss = losses.Ratio()
	return p
}

// hourOf returns when an hour begins, in nanoseconds, but not before the device was first seen.
func (d *Device) hourOf(at uint32) int64 { return max(int64(at)*watchtime.NsPerHour, d.FirstSeen) }

// history is the history of a device, and whether it is saved.
type history struct {
	watchtime.History
	dirty bool // it is in saved.histories
	kept  bool // it is in the saved state
}

// changedHistory records that the history of a device must be saved again.
func (r *Registry) changedHistory(id uint32, x *history) {
	if r.saved != nil && !x.dirty {
		x.dirty = true
		r.saved.histories = append(r.saved.histories, id)
	}
}

const historiesPart = "histories/1"

// drainHistories writes histories that have changed.
func (r *Registry) drainHistories(b *snapshot.Batch, limit int) (n int) {
	s := r.saved
	for ; n < limit && len(s.goneHistories) > 0; n++ {
		last := len(s.goneHistories) - 1
		writeID(b.Delete(historiesPart), s.goneHistories[last])
		b.End()
		s.goneHistories = s.goneHistories[:last]
	}
	for n < limit && len(s.histories) > 0 {
		last := len(s.histories) - 1
		id := s.histories[last]
		s.histories = s.histories[:last]
		if x := r.histories.of[id]; x != nil && x.dirty {
			writeID(b.Put(historiesPart), id)
			b.Value()
			x.Walk(b.Codec())
			b.End()
			x.dirty, x.kept = false, true
			n++
		}
	}
	return n
}

func (r *Registry) restoreHistories(all snapshot.Records) (bad int) {
	for k, v := range all {
		var id [4]byte
		kc, c := snapshot.Reader(k), snapshot.Reader(v)
		kc.Raw(id[:])
		x := &history{kept: true}
		x.Walk(c)
		n := binary.BigEndian.Uint32(id[:])
		switch {
		case kc.Done() != nil || c.Done() != nil:
			bad++
		case r.saved.byID[n] != nil:
			r.histories.of[n] = x
			r.histories.size += x.Size()
		default:
			r.saved.goneHistories = append(r.saved.goneHistories, n)
		}
	}
	return bad
}
