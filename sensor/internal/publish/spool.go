// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// SpoolOptions configures a spool. Zero means the default.
type SpoolOptions struct {
	MaxBytes     int64 // of all segments; default 1 GiB, minimum 64 KiB
	SegmentBytes int64 // a segment of this size is closed; default 8 MiB, at most an eighth of MaxBytes
	MemoryBytes  int   // of records that are not on disk yet; default 16 MiB, at most a quarter of MaxBytes
	// Patience makes Append wait this long for space and then return ErrFull, instead of dropping the least severe records. It is for
	// replays, which can wait; a live sensor cannot.
	Patience time.Duration
	// Synced is called with the duration of each fsync in seconds; nil: not called.
	Synced func(seconds float64)
	now    func() time.Time
	write  func(f *os.File, at int64, all []entry) (int64, time.Duration, error)
	open   func(path string) (segmentFile, error)
}

func (o SpoolOptions) withDefaults() SpoolOptions {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 30
	}
	o.MaxBytes = max(o.MaxBytes, 64<<10)
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 8 << 20
	}
	if o.MemoryBytes <= 0 {
		o.MemoryBytes = 16 << 20
	}
	o.SegmentBytes = min(o.SegmentBytes, o.MaxBytes/8)
	o.MemoryBytes = min(o.MemoryBytes, int(o.MaxBytes/4))
	if o.Synced == nil {
		o.Synced = func(float64) {}
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.write == nil {
		o.write = write
	}
	if o.open == nil {
		o.open = openSegment
	}
	return o
}

var (
	// ErrFull means that a spool with patience has no space and nothing was delivered.
	ErrFull = errors.New("the spool is full and nothing was delivered")
	// ErrClosed means that the spool is closed.
	ErrClosed = errors.New("the spool is closed")
	// ErrInUse means that another process has the spool open.
	ErrInUse = errors.New("another sensor uses it")
)

// retryDisk is the pause after a write that failed.
const retryDisk = 250 * time.Millisecond

// entry is a record that is not on disk yet.
type entry struct {
	rec  Record
	data []byte // its bytes on disk
}

// Spool stores records on disk from the moment they are decided until the drain acknowledges them. Append is safe for concurrent use; Next and
// Ack have one caller.
type Spool struct {
	dir  string
	o    SpoolOptions
	lock *os.File
	done chan struct{} // closed when the committer has ended

	mu      sync.Mutex
	changed *sync.Cond // records were appended, written, handed out or acknowledged; a fault began or ended; the spool was closed
	closed  bool
	next    uint64 // index of the next record
	durable uint64 // all below are on disk, delivered or dropped
	acked   uint64 // all below are acknowledged
	live    uint64 // records that are neither acknowledged nor dropped
	segs    []*segment
	active  *os.File // the last of segs, open for writing; nil: the next write starts a segment
	pending []entry
	writing []entry
	memory  int // bytes of pending and writing
	read    reader
	marks   []mark
	gone    intervals // delivered records that are not below acked
	stats   SpoolStats
	fault   error
}

// mark is when a record was appended, for the age of the oldest one.
type mark struct {
	index uint64
	at    int64
}

// SpoolStats is the counters of a spool since it was opened, and its current state.
type SpoolStats struct {
	Appended  uint64           // records that are on disk, or were delivered from memory because the disk could not be written
	Acked     uint64           // records that were acknowledged
	Dropped   [numRanks]uint64 // records that were dropped because there was no space
	Damaged   uint64           // places on disk that could not be read
	TornBytes uint64           // bytes of torn tails that were cut off
	Recovered uint64           // records that an earlier run left
	Records   uint64           // not yet acknowledged
	Bytes     int64            // of all segments
	OldestAt  int64            // when the oldest record that is not acknowledged was appended, 0 if there is none
	Faults    uint64           // writes that failed
	Fault     error            // why the disk cannot be written or read now; nil if it can
}

// DroppedTotal sums over the ranks.
func (s SpoolStats) DroppedTotal() (n uint64) {
	for _, d := range s.Dropped {
		n += d
	}
	return n
}

// OpenSpool opens the spool in a folder, which it creates if necessary. It repairs what an earlier run left; those records are drained first.
// The error is ErrInUse if another process has the spool open.
func OpenSpool(dir string, o SpoolOptions) (*Spool, error) {
	if err := makeDir(dir, syncDir); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("spool %s: %w", dir, ErrInUse)
	}
	s := &Spool{dir: dir, o: o.withDefaults(), lock: lock, done: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	if err := s.recover(); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("spool %s: %w", dir, err)
	}
	go s.commit()
	return s, nil
}

// recover reads the records of an earlier run.
func (s *Spool) recover() error {
	segs, err := listSegments(s.dir)
	if err != nil {
		return err
	}
	s.acked = readCursor(s.dir)
	s.next = s.acked
	for i, g := range segs {
		d, err := g.load(i == len(segs)-1, func(r *Record) {
			if r.Index >= s.next {
				s.live++
				s.next = r.Index + 1
			}
		})
		if err != nil {
			return err
		}
		s.stats.Damaged += uint64(d.places)
		s.stats.TornBytes += uint64(d.torn)
		if g.records() == 0 || g.last < s.acked {
			if err := os.Remove(g.path); err != nil {
				return err
			}
			continue
		}
		s.segs = append(s.segs, g)
		s.marks = append(s.marks, mark{g.first, g.at})
	}
	if len(s.segs) > 0 {
		s.acked = max(s.acked, s.segs[0].first)
	}
	s.durable, s.read.index = s.next, s.acked
	s.stats.Recovered = s.live
	return nil
}

// Append adds a record, copying r.Value. The record is safe once Sync returns. If there is no space, the least severe records are dropped, which
// may be this one, unless SpoolOptions.Patience is set.
func (s *Spool) Append(r Record) (uint64, error) {
	if err := r.check(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	size := len(r.Value) + 512
	if err := s.waitForMemory(size); err != nil {
		return 0, err
	}
	r.Index, r.At = s.next, s.o.now().UnixNano()
	s.next++
	e := entry{rec: r, data: appendRecord(make([]byte, 0, size), &r)}
	e.rec.Value = e.data[len(e.data)-len(r.Value):]
	s.pending = append(s.pending, e)
	s.memory += len(e.data)
	s.live++
	for s.memory > s.o.MemoryBytes && s.fault != nil && s.o.Patience == 0 && s.dropWaiting() {
	}
	s.changed.Broadcast()
	return r.Index, nil
}

// waitForMemory waits until size bytes can be buffered. Without patience it does not wait for a disk with a fault.
func (s *Spool) waitForMemory(size int) error {
	var late bool
	if s.o.Patience > 0 {
		acked := s.acked
		var t *time.Timer
		t = time.AfterFunc(s.o.Patience, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.acked != acked { // records are delivered: wait again
				acked = s.acked
				t.Reset(s.o.Patience)
				return
			}
			late = true
			s.changed.Broadcast()
		})
		defer t.Stop()
	}
	for s.memory > 0 && s.memory+size > s.o.MemoryBytes {
		switch {
		case s.closed:
			return ErrClosed
		case late:
			return errors.Join(ErrFull, s.fault)
		case s.fault != nil && s.o.Patience == 0:
			return nil
		default:
			s.changed.Wait()
		}
	}
	if s.closed {
		return ErrClosed
	}
	return nil
}

// Sync waits until every record that was appended before is on disk. While the disk cannot be written it returns that fault.
func (s *Spool) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for want := s.next; s.durable < want; s.changed.Wait() {
		if s.fault != nil {
			return s.fault
		}
		if s.closed {
			return ErrClosed
		}
	}
	return nil
}

// countDropped counts a record that was handed out and rejected, and did not fit the dead-letter file.
func (s *Spool) countDropped(r Rank) {
	s.mu.Lock()
	s.stats.Dropped[r]++
	s.mu.Unlock()
}

// Stats returns the current counters.
func (s *Spool) Stats() SpoolStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Fault = errors.Join(s.fault, s.read.fault)
	st.Records = s.live
	st.Bytes = s.bytes()
	if st.Records > 0 {
		s.prune()
		if len(s.marks) > 0 {
			st.OldestAt = s.marks[0].at
		}
	}
	return st
}

// Close writes buffered records and closes the spool. Records that are not acknowledged stay for the next run. An error means that some of
// them could not be written.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.changed.Broadcast()
	s.mu.Unlock()
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	var lost error
	if n := len(s.pending); n > 0 {
		lost = fmt.Errorf("spool %s: %d records could not be written: %w", s.dir, n, s.fault)
	}
	return errors.Join(lost, s.endFiles(), s.lock.Close())
}

func (s *Spool) endFiles() error {
	var errs []error
	s.read.close()
	if s.active != nil {
		errs = append(errs, s.active.Close())
		s.active = nil
	}
	errs = append(errs, writeCursor(s.dir, s.acked, true))
	for len(s.segs) > 0 && s.segs[0].last < s.acked {
		errs = append(errs, removeFile(s.segs[0].path))
		s.segs = s.segs[1:]
	}
	return errors.Join(errs...)
}

func (s *Spool) bytes() (n int64) {
	for _, g := range s.segs {
		n += g.size
	}
	return n
}
