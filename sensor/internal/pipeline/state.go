// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"encoding/json"
	"fmt"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/state"
)

// snapshotRecords bounds what the judge writes into a snapshot at one tick; what is left comes with the next. Some ten milliseconds.
const snapshotRecords = 20_000

// memory is what the judge keeps over a restart.
type memory struct {
	store *state.Store
	parts []snapshot.Part
	told  snapshot.Batch // scratch
	begun bool
}

// remember restores what an earlier run knew, and keeps from now on what this one learns. Sessions are not kept.
func (j *judge) remember(s *state.Store) error {
	j.memory = &memory{store: s}
	m := j.memory
	m.parts = append(j.reg.Parts(), snapshot.Single("judge/1", j.walk), j.ctx.Names.Part())
	m.parts = append(m.parts, detect.Parts(j.detectors, j.reg)...)
	m.parts = append(m.parts, j.alerts.Parts(&j.ctx)...)
	if err := s.Load(m.parts); err != nil {
		return err
	}
	j.reg.Restored()
	return nil
}

// walk walks the clock and the quality of the capture.
func (j *judge) walk(c *snapshot.Codec) {
	c.Time(&j.second)
	c.Time(&j.ctx.Now)
	q := &j.ctx.Quality
	for _, f := range []*float64{&q.OneWayShare, &q.GapShare, &q.DupShare, &q.LossRatio} {
		c.Float(f)
	}
	c.Bool(&q.OneWay)
	j.quality.walk(c)
}

// walk walks the window. The sums of the next run begin at zero: those of the past are kept as what they lack to the present ones, and
// wrap around.
func (w *qualityWindow) walk(c *snapshot.Codec) {
	c.Time(&w.minute)
	for _, past := range w.past {
		for _, n := range past.since(w.last).list() {
			c.Fixed(n)
		}
	}
}

func (q *qualityCounts) list() []*uint64 {
	return []*uint64{&q.ended, &q.oneWay, &q.acked, &q.gaps, &q.packets, &q.duplicates}
}

// repeat hands on the alerts that the run before may have been killed with.
func (j *judge) repeat() {
	for _, record := range j.memory.store.Repeat() {
		var a schemas.Alert
		if json.Unmarshal(record, &a) == nil {
			j.put(&a)
		}
	}
}

// begin is called at the first tick. A replay must not go back behind what is known: its clock would stand until it is caught up with.
func (m *memory) begin(j *judge, sec int64, replay bool) {
	m.begun = true
	if known := m.store.Clock(); replay && sec < known/1e9 {
		text := func(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339) }
		j.failed = fmt.Errorf("the captures begin at %s, and the state already knows what was until %s: replay in the order of time, or give another state file",
			text(sec*1e9), text(known))
		j.stopped()
		return
	}
	j.repeat()
}

// save writes a snapshot if one is due.
func (m *memory) save(j *judge) {
	b := m.store.Ready(j.ctx.Now)
	if b == nil {
		return
	}
	j.flush()
	m.store.Save(b, j.ctx.Now, m.drain(b, snapshotRecords))
}

// drain fills a batch with at most about limit records and reports whether there are more.
func (m *memory) drain(b *snapshot.Batch, limit int) (more bool) {
	for i := range m.parts {
		n := m.parts[i].Drain(b, limit)
		limit -= n
		more = more || limit == 0
	}
	return more
}

// end writes what is left at the end of a run.
func (m *memory) end(j *judge) {
	j.flush()
	if b := m.store.Final(); b != nil {
		m.drain(b, maxSnapshot)
		m.store.Save(b, j.ctx.Now, false)
	}
}

// maxSnapshot is more than all tables together hold.
const maxSnapshot = 1 << 30

// decided keeps an alert before it is handed on.
func (m *memory) decided(j *judge, a *schemas.Alert) {
	record, err := schemas.AppendAlert(nil, a)
	if err != nil {
		return // the output says so
	}
	m.told.Reset()
	j.alerts.SaveTold(&m.told, j.reg)
	m.store.Decided(&m.told, record)
}

// flush passes on what outputs hold back, so that no snapshot knows of an alert that a kill would lose.
func (j *judge) flush() {
	if j.out.Flush != nil && j.failed == nil {
		j.check(j.out.Flush())
	}
}
