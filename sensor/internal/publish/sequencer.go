// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"stillwatch/schemas"
)

// Sequencer stamps alerts with what is known only at delivery: the wall clock, the boot ID of the run, and the sequence number within the run.
// It is safe for concurrent use.
type Sequencer struct {
	boot   string
	mu     sync.Mutex
	seq    uint64
	replay bool
	now    func() time.Time
}

// NewSequencer returns a sequencer for a run, with a random boot ID. The sequence starts at 1.
func NewSequencer(replay bool) *Sequencer {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return &Sequencer{boot: hex.EncodeToString(id[:]), replay: replay, now: time.Now}
}

// Boot returns the boot ID of the run.
func (s *Sequencer) Boot() string { return s.boot }

// Stamp sets the emission time, the boot ID and the sequence number of a.
func (s *Sequencer) Stamp(a *schemas.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	at := schemas.TimeOf(s.now())
	a.Time.EmittedAt, a.Time.Replay = &at, s.replay
	a.Sensor.BootID, a.Sensor.Seq = s.boot, s.seq
}

// StampIncident sets the emission time and the boot ID of i. Incidents have no sequence number: they repeat what alerts say.
func (s *Sequencer) StampIncident(i *schemas.Incident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := schemas.TimeOf(s.now())
	i.Time.EmittedAt, i.Time.Replay = &at, s.replay
	i.Sensor.BootID = s.boot
}
