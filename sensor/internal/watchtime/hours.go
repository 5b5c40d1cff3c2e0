// SPDX-License-Identifier: Apache-2.0

package watchtime

import "stillwatch/sensor/internal/snapshot"

const (
	// KeptHours is the number of hours of which it is known how well the network was watched: 90 days.
	KeptHours = 90 * 24
	// NsPerHour is an hour in nanoseconds.
	NsPerHour = 3600 * second
	// alive is the longest time without a frame of which it still counts as proven that the mirror works.
	alive = shortestPause
)

// Losses are totals since the start of a run that show how many packets were not captured.
type Losses struct {
	Offered, Lost uint64 // frames that reached the interface, and those of them that were dropped
	Acked, Gaps   uint64 // bytes that TCP acknowledged, and those of them that were not captured
}

// Ratio returns the share that was not captured, 0 to 1: of the frames, or of the acknowledged bytes if that is more.
func (l Losses) Ratio() float64 {
	ratio := 0.0
	if l.Offered > 0 {
		ratio = float64(l.Lost) / float64(l.Offered)
	}
	if l.Acked > 0 {
		ratio = max(ratio, float64(l.Gaps)/float64(l.Acked))
	}
	return min(ratio, 1)
}

// Add adds other losses.
func (l *Losses) Add(x Losses) {
	l.Offered += x.Offered
	l.Lost += x.Lost
	l.Acked += x.Acked
	l.Gaps += x.Gaps
}

// hour is how well the mirror was watched in one hour.
type hour struct {
	at     uint32 // hours since the Unix epoch
	good   uint16 // seconds watched with good quality while frames arrived
	dirty  bool   // it has changed since it was saved
	kept   bool   // it is in the saved state
	losses Losses
}

// hours is how well the mirror was watched in each of the last KeptHours hours, and the VLANs that had frames. One table serves all devices.
type hours struct {
	ring  []hour // by hour modulo KeptHours; allocated with the first frame
	newer uint32 // the latest hour
	last  Losses // totals of this run
	vlans [numVLANs]*[KeptHours/64 + 1]uint64
	gone  []uint32 // saved hours that were replaced
}

// entry returns the entry of an hour, which it makes if it is new; nil if the hour is too old.
func (h *hours) entry(at uint32) *hour {
	if h.ring == nil {
		h.ring = make([]hour, KeptHours)
	}
	e := &h.ring[at%KeptHours]
	if e.at > at || at+KeptHours <= h.newer {
		return nil
	}
	if e.at != at {
		if e.kept {
			h.gone = append(h.gone, e.at)
		}
		*e = hour{at: at}
		for _, v := range h.vlans {
			if v != nil {
				v[at%KeptHours/64] &^= 1 << (at % KeptHours % 64)
			}
		}
	}
	h.newer = max(h.newer, at)
	e.dirty = true
	return e
}

// find returns the entry of an hour, nil if nothing was watched in it.
func (h *hours) find(at uint32) *hour {
	if h.ring == nil || h.ring[at%KeptHours].at != at {
		return nil
	}
	return &h.ring[at%KeptHours]
}

// watched adds the watched time from one tick to the next, in nanoseconds.
func (h *hours) watched(from, to int64) {
	for from < to {
		end := min(to, (from/NsPerHour+1)*NsPerHour)
		if e := h.entry(uint32(from / NsPerHour)); e != nil {
			e.good = min(e.good+uint16((end-from)/second), 3600)
		}
		from = end
	}
}

func (h *hours) vlan(id uint16, sec int64) {
	at := uint32(sec / 3600)
	if h.entry(at) == nil {
		return
	}
	v := h.vlans[id%numVLANs]
	if v == nil {
		v = new([KeptHours/64 + 1]uint64)
		h.vlans[id%numVLANs] = v
	}
	v[at%KeptHours/64] |= 1 << (at % KeptHours % 64)
}

func (h *hours) hasVLAN(id uint16, at uint32) bool {
	v := h.vlans[id%numVLANs]
	return v != nil && h.find(at) != nil && v[at%KeptHours/64]>>(at%KeptHours%64)&1 != 0
}

// SetQuality sets whether the capture is good from the last tick on, and adds what was lost until then. Good means that both directions are
// captured and hardly a packet is lost.
func (c *Clock) SetQuality(good bool, total Losses) {
	c.good = good
	last := c.hours.last
	c.hours.last = total
	d := Losses{total.Offered - last.Offered, total.Lost - last.Lost, total.Acked - last.Acked, total.Gaps - last.Gaps}
	if d == (Losses{}) || c.last == 0 || total.Offered < last.Offered || total.Acked < last.Acked {
		return
	}
	if e := c.hours.entry(uint32(c.last / NsPerHour)); e != nil {
		e.losses.Add(d)
	}
}

// Good returns for how many seconds of an hour a VLAN was watched with good quality, and what was lost in that hour. A VLAN counts as watched
// if a frame of it was captured in that hour or in one beside it.
func (c *Clock) Good(id uint16, at uint32) (seconds int64, l Losses) {
	if c == nil {
		return 0, l
	}
	h := &c.hours
	e := h.find(at)
	if e == nil || !h.hasVLAN(id, at) && !h.hasVLAN(id, at-1) && !h.hasVLAN(id, at+1) {
		return 0, l
	}
	return int64(e.good), e.losses
}

// hoursPart is the name of the saved hours.
const hoursPart = "watchhours/1"

// HoursPart returns the hours as a part of a snapshot.
func (c *Clock) HoursPart() snapshot.Part {
	return snapshot.Part{Name: hoursPart, Drain: c.hours.drain, Restore: c.hours.restore}
}

// drain writes the hours that have changed: usually the current one.
func (h *hours) drain(b *snapshot.Batch, limit int) (n int) {
	for ; n < limit && len(h.gone) > 0; n++ {
		last := len(h.gone) - 1
		snapshot.Number(b.Delete(hoursPart), &h.gone[last])
		b.End()
		h.gone = h.gone[:last]
	}
	for back := uint32(0); n < limit && back < KeptHours && back <= h.newer; back++ {
		e := h.find(h.newer - back)
		if e == nil || !e.dirty {
			continue
		}
		at := e.at
		snapshot.Number(b.Put(hoursPart), &at)
		b.Value()
		h.walk(b.Codec(), e)
		b.End()
		e.dirty, e.kept = false, true
		n++
	}
	return n
}

// walk saves or restores an hour with its VLANs.
func (h *hours) walk(c *snapshot.Codec, e *hour) {
	snapshot.Number(c, &e.good)
	for _, n := range []*uint64{&e.losses.Offered, &e.losses.Lost, &e.losses.Acked, &e.losses.Gaps} {
		c.Uint(n)
	}
	var ids []uint16
	for i := range h.vlans {
		if !c.Reading() && h.hasVLAN(uint16(i), e.at) {
			ids = append(ids, uint16(i))
		}
	}
	snapshot.List(c, &ids, numVLANs, func(id *uint16) { snapshot.Number(c, id) })
	for _, id := range ids {
		if c.Reading() {
			h.vlan(id, int64(e.at)*3600)
		}
	}
}

func (h *hours) restore(all snapshot.Records) (bad int) {
	for k, v := range all {
		var at uint32
		kc := snapshot.Reader(k)
		snapshot.Number(kc, &at)
		if kc.Done() != nil || at == 0 || at > maxHour {
			bad++
			continue
		}
		e := h.entry(at)
		if e == nil { // older than 90 days
			continue
		}
		vc := snapshot.Reader(v)
		h.walk(vc, e)
		e.good, e.dirty, e.kept = min(e.good, 3600), false, true
		if vc.Done() != nil {
			bad++
		}
	}
	return bad
}

// maxHour is the last hour that an int64 can express in nanoseconds.
const maxHour = uint32((1<<63 - 1) / NsPerHour)
