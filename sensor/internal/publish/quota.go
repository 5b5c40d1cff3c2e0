// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"io/fs"
	"os"
)

// place is where records of a rank are.
type place struct {
	seg  *segment
	rank Rank
}

// enforceQuota sees to it that what is pending fits. The least severe records go first, of the same severity the oldest; with
// SpoolOptions.Patience it waits for acknowledgements instead. An empty spool takes a record that is larger than all of it.
func (s *Spool) enforceQuota() error {
	fixed := map[place]bool{} // where nothing can be given up
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

// lowestStored gives the oldest segment with records of the lowest rank that are on disk and were not handed out.
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

// dropWaiting gives up the oldest of the least severe records that wait for the disk. It reports whether there was one. What was handed
// out from memory is on its way all the same: it is only forgotten here.
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

// sweep frees the room of records that have arrived in one segment, if there is one with such.
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

// compact writes a segment anew without its records of a rank, and without those that were acknowledged. Records that were
// handed out stay: they are on their way, and a crash must not lose them. It gives the bytes that became free.
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

// swap puts the compacted segment in the place of the old one. If it was being read, it will be read from its start, past
// what was handed out before.
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
