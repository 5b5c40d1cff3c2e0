// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"fmt"
	"os"
	"time"

	"stillwatch/internal/panics"
)

// commit is the goroutine that writes segments. It writes all pending records at once, so that a burst costs one fsync.
func (s *Spool) commit() {
	defer close(s.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.pending) == 0 && !s.closed {
			s.changed.Wait()
		}
		if len(s.pending) == 0 {
			return
		}
		err := panics.ToError("writer of the spool", s.flush)
		if err != nil {
			_ = s.failed(err)
		}
		s.changed.Broadcast()
		if err == nil {
			continue
		}
		if s.closed {
			return
		}
		s.pause(retryDisk)
	}
}

// flush writes the pending records. After an error all of them are pending again.
func (s *Spool) flush() error {
	s.dropDelivered()
	if err := s.enforceQuota(); err != nil {
		return err
	}
	if len(s.pending) == 0 {
		return nil
	}
	g, err := s.openActive()
	if err != nil {
		return err
	}
	s.writing, s.pending = s.pending, nil
	f, at := s.active, g.size
	var n int64
	var took time.Duration
	s.mu.Unlock()
	err = panics.ToError("writer of the spool", func() (err error) { // the caller expects the lock to be held, also after a panic
		n, took, err = s.o.write(f, at, s.writing)
		return err
	})
	s.mu.Lock()
	if err != nil {
		s.abandon(at)
		s.pending = append(s.writing, s.pending...)
		s.writing = nil
		return err
	}
	s.o.Synced(took.Seconds())
	s.written(g, n)
	return nil
}

// write writes entries at an offset of a file and waits until they are on disk. It returns the bytes written and the time of the fsync.
func write(f *os.File, at int64, all []entry) (int64, time.Duration, error) {
	var b []byte
	for _, e := range all {
		b = append(b, e.data...)
	}
	if _, err := f.WriteAt(b, at); err != nil {
		return 0, 0, err
	}
	began := time.Now()
	err := f.Sync()
	return int64(len(b)), time.Since(began), err
}

// written records that the entries of s.writing are on disk.
func (s *Spool) written(g *segment, n int64) {
	for i := range s.writing {
		e := &s.writing[i]
		g.note(&e.rec, len(e.data))
		s.memory -= len(e.data)
	}
	s.marks = append(s.marks, mark{s.writing[0].rec.Index, s.writing[0].rec.At})
	s.prune()
	g.size += n
	s.stats.Appended += uint64(len(s.writing))
	s.writing, s.fault = nil, nil
	s.settle()
	if g.size >= s.o.SegmentBytes {
		s.roll()
	}
}

// openActive returns the active segment, a new one if there is none.
func (s *Spool) openActive() (*segment, error) {
	if s.active != nil {
		return s.segs[len(s.segs)-1], nil
	}
	g := newSegment(s.dir, s.pending[0].rec.Index)
	f, err := os.OpenFile(g.path, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syncDir(s.dir); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(g.path))
	}
	s.active = f
	s.segs = append(s.segs, g)
	return g, nil
}

// roll closes the active segment; the next write starts another.
func (s *Spool) roll() {
	if s.active != nil {
		_ = s.active.Close() // its records are synced
		s.active = nil
	}
}

// abandon removes the remains of a failed write. After a failed fsync the kernel may have dropped the dirty pages, so the file is not written
// to again.
func (s *Spool) abandon(size int64) {
	_ = s.active.Truncate(size)
	s.roll()
	if g := s.segs[len(s.segs)-1]; g.records() == 0 {
		_ = os.Remove(g.path)
		s.segs = s.segs[:len(s.segs)-1]
	}
}

func (s *Spool) failed(err error) error {
	s.fault = fmt.Errorf("spool %s: %w", s.dir, err)
	s.stats.Faults++
	return s.fault
}

// pause waits with the lock released, until d is over or the spool is closed.
func (s *Spool) pause(d time.Duration) {
	over := false
	t := time.AfterFunc(d, func() {
		s.mu.Lock()
		over = true
		s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer t.Stop()
	for !over && !s.closed {
		s.changed.Wait()
	}
}

// dropDelivered removes the pending records that were delivered from memory because the disk could not be written.
func (s *Spool) dropDelivered() {
	for len(s.pending) > 0 && s.pending[0].rec.Index < s.acked {
		s.memory -= len(s.pending[0].data)
		s.stats.Appended++
		s.pending = s.pending[1:]
	}
	s.settle()
}

// settle updates durable, the index below which no record waits for the disk.
func (s *Spool) settle() {
	s.durable = s.next
	for _, waiting := range [][]entry{s.pending, s.writing} {
		if len(waiting) > 0 {
			s.durable = min(s.durable, waiting[0].rec.Index)
		}
	}
}

// prune removes the marks of acknowledged records, and every second mark when there are too many.
func (s *Spool) prune() {
	for len(s.marks) > 1 && s.marks[1].index <= s.acked {
		s.marks = s.marks[1:]
	}
	if len(s.marks) > 8192 {
		kept := s.marks[:1]
		for i := 2; i < len(s.marks); i += 2 {
			kept = append(kept, s.marks[i])
		}
		s.marks = kept
	}
}
