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
type memory struct {
	store *store.Store
	parts []snapshot.Part
	fixed int            // how many of them are not of detectors
	told  snapshot.Batch // scratch
	begun bool
	off   bool // the run must not change the state
}

// remember restores what an earlier run knew, and keeps from now on what this one learns. Sessions are not kept.
func (j *judge) remember() error {
	m := &memory{store: j.cfg.State}
	m.parts = append(j.reg.Parts(), snapshot.Single("judge/1", j.walk), j.clock.Part(), j.ctx.Names.Part())
	m.parts = append(m.parts, j.alerts.Parts(&j.ctx)...)
	m.fixed = len(m.parts)
	m.retune(j)
	if err := m.store.Load(m.parts); err != nil {
		return err
	}
	j.reg.Restored()
	j.memory = m
	j.move()
	return nil
}

// retune takes the detectors as they are now.
func (m *memory) retune(j *judge) {
	if m != nil {
		m.parts = append(m.parts[:m.fixed], detect.Parts(j.detectors, j.reg)...)
	}
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
func (m *memory) begin(j *judge, ticks []tick) {
	if m == nil || m.begun || len(ticks) == 0 {
		return
	}
	m.begun = true
	if first, known := ticks[0].sec, m.store.Clock(); j.cfg.Replay && first < known/1e9 {
		text := func(sec int64) string { return time.Unix(sec, 0).UTC().Format(time.RFC3339) }
		m.off = true
		j.failed = fmt.Errorf("the captures begin at %s, and the state knows what was until %s: replay in the order of time, or give another state file",
			text(first), text(known/1e9))
		j.stopped()
		return
	}
	for _, record := range m.store.Repeat() {
		var a schemas.Alert
		if json.Unmarshal(record, &a) == nil {
			j.put(&a)
		}
	}
}

// stands reports whether the state may be changed: not after an output has failed, or it would hold alerts as told that were not.
func (m *memory) stands(j *judge) bool { return m != nil && !m.off && j.failed == nil }

// save writes a snapshot if one is due.
func (m *memory) save(j *judge) {
	if !m.stands(j) {
		return
	}
	if b := m.store.Ready(j.ctx.Now); b != nil {
		j.flush()
		m.store.Save(b, j.ctx.Now, m.drain(b, snapshotRecords))
	}
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
	if !m.stands(j) || !m.begun {
		return
	}
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
	if !m.stands(j) {
		return
	}
	record, err := schemas.AppendAlert(nil, a)
	if err != nil {
		return // the output says so
	}
	m.told.Reset()
	j.alerts.SaveTold(&m.told, j.reg)
	m.store.Decided(&m.told, record)
}

// Site gives the name of the site that a run is about.
func (c *Config) Site() string { return siteOf(c.Settings, c.Inventory) }
