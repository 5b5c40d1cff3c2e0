// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"encoding/json"
	"fmt"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/snapshot"
	store "stillwatch/sensor/internal/state"
)

// snapshotRecords bounds what the judge writes into a snapshot at one tick; what is left comes with the next. Some ten milliseconds.
const snapshotRecords = 20_000

// memory is what the judge keeps over a restart; nil keeps nothing.
type savedState struct {
	store *store.Store
	parts []snapshot.Part
	fixed int            // how many of them are not of detectors
	told  snapshot.Batch // scratch
	begun bool
	off   bool // the run must not change the state
}

// remember restores what an earlier run knew, and keeps from now on what this one learns. Sessions are not kept.
func (c *correlator) restore() error {
	s := &savedState{store: c.cfg.State}
	s.parts = append(c.reg.Parts(), snapshot.Single("judge/1", c.walk), c.clock.Part(), c.ctx.Names.Part())
	s.parts = append(s.parts, c.alerts.Parts(&c.ctx)...)
	s.fixed = len(s.parts)
	s.retune(c)
	if err := s.store.Load(s.parts); err != nil {
		return err
	}
	c.reg.Restored()
	c.saved = s
	c.move()
	return nil
}

// retune takes the detectors as they are now.
func (s *savedState) retune(c *correlator) {
	if s != nil {
		s.parts = append(s.parts[:s.fixed], detect.Parts(c.detectors, c.reg)...)
	}
}

// walk walks the clock and the quality of the capture.
func (c *correlator) walk(codec *snapshot.Codec) {
	codec.Time(&c.second)
	codec.Time(&c.ctx.Now)
	q := &c.ctx.Quality
	for _, f := range []*float64{&q.OneWayShare, &q.GapShare, &q.DupShare, &q.LossRatio} {
		codec.Float(f)
	}
	codec.Bool(&q.OneWay)
	c.quality.walk(codec)
}

// walk walks the window. The sums of the next run begin at zero: those of the past are kept as what the present ones are ahead of them,
// and become negative, which in unsigned numbers comes to the same.
func (w *qualityWindow) walk(c *snapshot.Codec) {
	c.Time(&w.minute)
	for i := range w.past {
		ahead := w.last.since(w.past[i])
		for _, n := range ahead.list() {
			c.Fixed(n)
		}
		if c.Reading() {
			w.past[i] = qualityCounts{}.since(ahead)
		}
	}
}

func (q *qualityCounts) list() []*uint64 {
	return []*uint64{&q.ended, &q.oneWay, &q.acked, &q.gaps, &q.packets, &q.duplicates, &q.offered, &q.lost}
}

// begin is called with each block, and does something at the first tick: the alerts that the run before may have been killed with are
// handed on again. A replay must not go back behind what is known: its clock would stand until it is caught up with.
func (s *savedState) begin(c *correlator, ticks []tick) {
	if s == nil || s.begun || len(ticks) == 0 {
		return
	}
	s.begun = true
	if first, known := ticks[0].sec, s.store.Clock(); c.cfg.Replay && first < known/1e9 {
		text := func(sec int64) string { return time.Unix(sec, 0).UTC().Format(time.RFC3339) }
		s.off = true
		c.failed = fmt.Errorf("the captures begin at %s, and the state knows what was until %s: replay in the order of time, or give another state file",
			text(first), text(known/1e9))
		c.stopped()
		return
	}
	for _, record := range s.store.Repeat() {
		var a schemas.Alert
		if json.Unmarshal(record, &a) == nil {
			c.put(&a)
		}
	}
}

// stands reports whether the state may be changed: not after an output has failed, or it would hold alerts as told that were not.
func (s *savedState) stands(c *correlator) bool { return s != nil && !s.off && c.failed == nil }

// save writes a snapshot if one is due.
func (s *savedState) save(c *correlator) {
	if !s.stands(c) {
		return
	}
	if b := s.store.Ready(c.ctx.Now); b != nil {
		c.flush()
		s.store.Save(b, c.ctx.Now, s.drain(b, snapshotRecords))
	}
}

// drain fills a batch with at most about limit records and reports whether there are more.
func (s *savedState) drain(b *snapshot.Batch, limit int) (more bool) {
	for i := range s.parts {
		n := s.parts[i].Drain(b, limit)
		limit -= n
		more = more || limit == 0
	}
	return more
}

// end writes what is left at the end of a run.
func (s *savedState) end(c *correlator) {
	if !s.stands(c) || !s.begun {
		return
	}
	c.flush()
	if b := s.store.Final(); b != nil {
		s.drain(b, maxSnapshot)
		s.store.Save(b, c.ctx.Now, false)
	}
}

// maxSnapshot is more than all tables together hold.
const maxSnapshot = 1 << 30

// decided keeps an alert before it is handed on.
func (s *savedState) decided(c *correlator, a *schemas.Alert) {
	if !s.stands(c) {
		return
	}
	record, err := schemas.AppendAlert(nil, a)
	if err != nil {
		return // the output says so
	}
	s.told.Reset()
	c.alerts.SaveReported(&s.told, c.reg)
	s.store.Decided(&s.told, record)
}

// Site gives the name of the site that a run is about.
func (c *Config) Site() string { return siteOf(c.Settings, c.Inventory) }
