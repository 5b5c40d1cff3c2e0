// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"io/fs"
	"os"
)

// place is the records of one rank in a segment.
type place struct {
	seg  *segment
	rank Rank
}

// enforceQuota makes room for the pending records. It drops the least severe records first, of the same severity the oldest. With
// SpoolOptions.Patience it waits for acknowledgements instead. An empty spool accepts a record that is larger than its quota.
func (s *Spool) enforceQuota() error {
	fixed := map[place]bool{} // places where nothing can be dropped
	for used := s.bytes(); len(s.pending) > 0 && used > 0 && used+s.pendingBytes() > s.o.MaxBytes; used = s.bytes() {
		if swept, err := s.sweep(); err != nil {
			return err
		} else if swept {
			continue
		}
		if s.o.Patience > 0 {
			if s.closed {
				return ErrFull
			}
			s.changed.Wait()
			s.dropDelivered()
			continue
		}
		p := s.lowestStored(fixed)
		if p.seg == nil || lowest(s.pending) < p.rank {
			s.dropWaiting()
			continue
		}
		freed, err := s.compact(p)
		if err != nil {
			return err
		}
		fixed[p] = freed == 0
	}
	s.settle()
	return nil
}

func (s *Spool) pendingBytes() (n int64) {
	for i := range s.pending {
		n += int64(len(s.pending[i].data))
	}
	return n
}

func lowest(all []entry) Rank {
	r := numRanks
	for i := range all {
		r = min(r, all[i].rec.Rank)
	}
	return r
}

// lowestStored returns the oldest segment with records of the lowest rank that were not handed out to the drain.
func (s *Spool) lowestStored(fixed map[place]bool) place {
	for r := range numRanks {
		for _, g := range s.segs {
			if p := (place{g, r}); g.count[r] > 0 && g.last >= s.read.index && !fixed[p] {
				return p
			}
		}
	}
	return place{}
}

// dropWaiting drops the oldest of the least severe records that wait for the disk. It reports whether there was one. A record that was handed
// out from memory is still sent, so it does not count as dropped.
func (s *Spool) dropWaiting() bool {
	r := lowest(s.pending)
	for i := range s.pending {
		if s.pending[i].rec.Rank == r {
			s.memory -= len(s.pending[i].data)
			if s.pending[i].rec.Index >= s.read.index {
				s.stats.Dropped[r]++
				s.live--
			}
			s.pending = append(s.pending[:i], s.pending[i+1:]...)
			return true
		}
	}
	return false
}

// sweep frees the space of delivered records in one segment. It reports whether it freed any.
func (s *Spool) sweep() (bool, error) {
	for _, g := range s.segs {
		if g.gone > 0 {
			freed, err := s.compact(place{g, numRanks})
			g.gone = 0
			return freed > 0, err
		}
	}
	return false, nil
}

// compact rewrites a segment without its records of a rank and without acknowledged records. Records that were handed out stay: they are in
// flight, and a crash must not lose them. It returns the bytes that it freed.
func (s *Spool) compact(p place) (int64, error) {
	g := p.seg
	if s.active != nil && g == s.segs[len(s.segs)-1] {
		s.roll()
	}
	old, err := os.ReadFile(g.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	fresh := &segment{path: g.path, first: g.first}
	var kept []byte
	dropped, seen := uint64(0), 0
	scan(old[:min(g.size, int64(len(old)))], func(r *Record, at, n int) bool {
		seen++
		switch {
		case r.Index < s.acked, s.gone.has(r.Index):
		case r.Rank == p.rank && r.Index >= s.read.index:
			dropped++
		default:
			kept = append(kept, old[at:at+n]...)
			fresh.note(r, n)
		}
		return true
	})
	fresh.size = int64(len(kept))
	if fresh.size == g.size {
		return 0, nil
	}
	if len(kept) == 0 {
		err = removeFile(g.path)
	} else {
		err = replace(g.path, kept, true)
	}
	if err != nil {
		return 0, err
	}
	s.missed(g, seen)
	if dropped > 0 {
		s.stats.Dropped[p.rank] += dropped
		s.live -= dropped
	}
	s.swap(g, fresh)
	return g.size - fresh.size, nil
}

// swap replaces a segment by its compacted version. If it was being read, it is read from its start again, skipping the records that were
// handed out before.
func (s *Spool) swap(old, fresh *segment) {
	if s.read.seg == old {
		s.read.close()
	}
	kept := s.segs[:0]
	for _, g := range s.segs {
		switch {
		case g != old:
			kept = append(kept, g)
		case fresh.size > 0:
			kept = append(kept, fresh)
		}
	}
	s.segs = kept
}
