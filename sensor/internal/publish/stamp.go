// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"

	"stillwatch/schemas"
)

// Stamp sets what an alert can know only when it leaves: the wall clock, the run, and its number within the run. It
// is safe for concurrent use.
type Stamp struct {
	boot   string
	mu     sync.Mutex
	seq    uint64
	replay bool
	now    func() time.Time
}

// NewStamp begins a run: its boot id is random, its sequence starts at 1.
func NewStamp(replay bool) *Stamp {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return &Stamp{boot: hex.EncodeToString(id[:]), replay: replay, now: time.Now}
}

// Alert stamps a.
func (s *Stamp) Alert(a *schemas.Alert) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	at := schemas.TimeOf(s.now())
	a.Time.EmittedAt, a.Time.Replay = &at, s.replay
	a.Sensor.BootID, a.Sensor.Seq = s.boot, s.seq
}
