// SPDX-License-Identifier: Apache-2.0

package session

// minuteSeconds is how often the progress of a session is reported if little has left the watched network.
const minuteSeconds = 60

// kib returns the payload of both directions.
func (s *Session) kib() uint64 { return (s.counts[0].payload + s.counts[1].payload) >> 10 }

// outwardKiB returns the payload that was sent to addresses outside of the watched network, as far as flagInside says which they are.
func (s *Session) outwardKiB() uint64 {
	n := uint64(0)
	if s.flags&flagInside1 == 0 {
		n = s.counts[0].payload
	}
	if s.flags&flagInside0 == 0 {
		n += s.counts[1].payload
	}
	return n >> 10
}

// firstReport returns the payload after which Table.grew is called first, KiB.
func (c *Config) firstReport() uint32 {
	if c.MaxFollowed == 0 {
		return c.ProgressKiB
	}
	return min(c.FollowKiB, c.ProgressKiB)
}

// grew puts a session into the list of those whose progress may have to be reported at the next tick. At FollowKiB it queues it to be followed.
func (t *Table) grew(r ref, s *Session) {
	if s.reportAt < t.cfg.ProgressKiB {
		s.reportAt = t.cfg.ProgressKiB
		t.mature(r, s)
		if s.kib() < uint64(s.reportAt) {
			return
		}
	}
	if s.flags&flagGrown == 0 {
		s.flags |= flagGrown
		t.grown = append(t.grown, r)
	}
}

// progress reports sessions that have grown: at the first tick after they have carried ProgressKiB, from then on at each tick if they have
// sent anything out of the watched network or have carried another ProgressKiB across its border, else once a minute. What leaves
// the network is reported at once because an upload is detected by it. A session that is not yet due stays in the list.
func (t *Table) progress(now int64) {
	sec := uint16(now / 1e9)
	waiting := t.grown[:0]
	for _, r := range t.grown {
		s := t.at(r)
		if s.flags&flagGrown == 0 {
			continue // it has ended, or another session has its place, which is in the list once already
		}
		s.flags &^= flagGrown
		if s.flags&(flagDead|flagReported) != flagReported {
			continue
		}
		kib := s.kib()
		if s.flags&flagPlaced == 0 {
			t.place(s)
		} else if !t.progressDue(s, kib, sec) {
			waiting = append(waiting, r)
			continue
		}
		s.reportAt = uint32(min(kib+1, 1<<32-1))
		s.reportedOut, s.reportedSec = uint32(min(s.outwardKiB(), 1<<32-1)), sec
		t.h.Progress(s, now)
	}
	for _, r := range waiting {
		t.at(r).flags |= flagGrown
	}
	t.grown = waiting
}

// progressDue reports whether the progress of a session that was reported before is to be reported again. Seconds are compared modulo 2^16.
func (t *Table) progressDue(s *Session, kib uint64, sec uint16) bool {
	if sec-s.reportedSec >= minuteSeconds || s.outwardKiB() > uint64(s.reportedOut) {
		return true
	}
	const within = flagInside0 | flagInside1
	return s.flags&within != within && kib >= uint64(s.reportAt)-1+uint64(t.cfg.ProgressKiB)
}

// place notes which ends of a session are inside the watched network.
func (t *Table) place(s *Session) {
	s.flags |= flagPlaced
	if t.cfg.Inside == nil {
		return
	}
	if t.cfg.Inside(addr(s.key.lo)) {
		s.flags |= flagInside0
	}
	if t.cfg.Inside(addr(s.key.hi)) {
		s.flags |= flagInside1
	}
}
