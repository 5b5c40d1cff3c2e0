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

// snapshotRecords bounds the records that one tick adds to a snapshot, which takes about ten milliseconds. The next tick continues.
const snapshotRecords = 20_000

// savedState saves what the correlator knows, so that it survives a restart. A nil *savedState saves nothing.
type savedState struct {
	store   *store.Store
	parts   []snapshot.Part
	fixed   int            // number of parts that do not belong to detectors
	changes snapshot.Batch // scratch of decided
	begun   bool
	off     bool // the run must not change the saved state
}

// restore restores the saved state of an earlier run, and starts to save that of this run. Sessions are not saved.
func (c *correlator) restore() error {
	s := &savedState{store: c.cfg.State}
	s.parts = append(c.reg.Parts(), c.policies.Part(), snapshot.Single("correlator/1", c.walk), c.clock.Part(), c.clock.HoursPart(), c.ctx.Names.Part())
	if l := c.contracts.Learner(); l != nil {
		s.parts = append(s.parts, l.Parts()...)
	}
	s.parts = append(s.parts, c.alerts.Parts(&c.ctx)...)
	s.fixed = len(s.parts)
	s.retune(c)
	if err := s.store.Load(s.parts); err != nil {
		return err
	}
	c.reg.Restored()
	c.contracts.SetPolicies(c.policies.Contracts())
	c.saved = s
	c.move()
	return nil
}

// retune replaces the parts of the detectors.
func (s *savedState) retune(c *correlator) {
	if s != nil {
		s.parts = append(s.parts[:s.fixed], detect.Parts(c.detectors, c.reg)...)
	}
}

// walk saves or restores the clock and the capture quality.
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

// walk saves or restores the window. The totals of the next run start at zero, so each past total is saved as its distance from the current
// one and restored as a negative number, which wraps around in unsigned arithmetic.
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

// begin is called with each block and acts at the first tick: it writes the alerts again that an earlier, killed run may not have delivered.
// A replay must not start before the saved clock: its clock would not advance until it caught up.
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
		c.repeat(record)
	}
}

// repeat writes a record of an earlier run again.
func (c *correlator) repeat(record []byte) {
	var a schemas.Alert
	var i schemas.Incident
	switch {
	case json.Unmarshal(record, &a) == nil && a.Schema == schemas.AlertSchema:
		c.put(&a)
	case json.Unmarshal(record, &i) == nil && i.Schema == schemas.IncidentSchema:
		c.putIncident(&i)
	}
}

// writable reports whether the state may be saved. After an output has failed it would contain alerts that were never written.
func (s *savedState) writable(c *correlator) bool { return s != nil && !s.off && c.failed == nil }

// save writes a snapshot if one is due.
func (s *savedState) save(c *correlator) {
	if !s.writable(c) {
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

// end saves the last snapshot of a run.
func (s *savedState) end(c *correlator) {
	if !s.writable(c) || !s.begun {
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

// decided saves an alert in the journal before it is written.
func (s *savedState) decided(c *correlator, a *schemas.Alert) {
	if !s.writable(c) {
		return
	}
	record, err := schemas.AppendAlert(nil, a)
	if err != nil {
		return // the output reports it
	}
	s.changes.Reset()
	c.alerts.SaveReported(&s.changes, c.reg)
	s.store.Decided(&s.changes, record)
}

// decidedIncident saves a revision of an incident in the journal before it is written.
func (s *savedState) decidedIncident(c *correlator, i *schemas.Incident) {
	if !s.writable(c) {
		return
	}
	record, err := schemas.AppendIncident(nil, i)
	if err != nil {
		return // the output reports it
	}
	s.changes.Reset()
	c.alerts.SaveReportedIncident(&s.changes, c.reg)
	s.store.Decided(&s.changes, record)
}

// Site returns the name of the site of a run.
func (c *Config) Site() string { return siteOf(c.Settings, c.Inventory) }
