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

// SpoolOptions bound a spool. Zero means the default.
type SpoolOptions struct {
	MaxBytes     int64 // of all segments; default 1 GiB, least 64 KiB
	SegmentBytes int64 // a segment that has reached it is not added to; default 8 MiB, at most an eighth of MaxBytes
	MemoryBytes  int   // of records that are not on disk yet; default 16 MiB, at most a quarter of MaxBytes
	// Patience makes Append wait that long for room, and then give ErrFull, instead of dropping the least severe: right for a
	// replay, which can wait, wrong for a live sensor, which cannot.
	Patience time.Duration
	// Synced is called with the seconds that each fsync took; nil: not wanted.
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

// Errors of a spool.
var (
	ErrFull   = errors.New("the spool is full and nothing was taken from it")
	ErrClosed = errors.New("the spool is closed")
	ErrInUse  = errors.New("another sensor uses it")
)

// retryDisk is the pause after a write that failed.
const retryDisk = 250 * time.Millisecond

// entry is a record that is not on disk yet.
type entry struct {
	rec  Record
	data []byte // as it will stand on disk
}

// Spool keeps records on disk from the moment they are decided until whoever drains it says that they have arrived. Append
// may have many callers, Next and Ack have one.
type Spool struct {
	dir  string
	o    SpoolOptions
	lock *os.File
	done chan struct{} // closed when the committer has ended

	mu      sync.Mutex
	changed *sync.Cond // records came, were written, taken or acknowledged; a fault came or went; the end
	closed  bool
	next    uint64 // index of the next record
	durable uint64 // all below are on disk, delivered, or given up
	acked   uint64 // all below were acknowledged
	live    uint64 // records that are neither acknowledged nor given up
	segs    []*segment
	active  *os.File // the last of segs, open for writing; nil: the next write begins a segment
	pending []entry
	writing []entry
	memory  int // bytes of pending and writing
	read    reader
	marks   []mark
	gone    intervals // records not below acked that have arrived
	stats   SpoolStats
	fault   error
}

// mark remembers when a record was appended, for the age of the oldest one.
type mark struct {
	index uint64
	at    int64
}

// SpoolStats counts what a spool did since it was opened, and how it stands.
type SpoolStats struct {
	Appended  uint64           // records that are on disk, or were delivered from memory because the disk would not take them
	Acked     uint64           // records that were acknowledged
	Dropped   [numRanks]uint64 // records given up because there was no room
	Damaged   uint64           // places on disk that could not be read
	TornBytes uint64           // bytes of torn tails that were cut off
	Recovered uint64           // records that an earlier run had left
	Records   uint64           // not yet acknowledged
	Bytes     int64            // of all segments
	OldestAt  int64            // when the oldest record that is not acknowledged was appended, 0 if there is none
	Faults    uint64           // writes that failed
	Fault     error            // why the disk takes or gives nothing at present, nil if it does
}

// DroppedTotal sums over the ranks.
func (s SpoolStats) DroppedTotal() (n uint64) {
	for _, d := range s.Dropped {
		n += d
	}
	return n
}

// OpenSpool opens the spool of a folder, which is made if it is not there. What an earlier run has left is repaired and will
// be drained first. ErrInUse: another process has it open.
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

// recover reads what an earlier run has left.
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

// Append takes a record; it is raised when Sync, or the count of SpoolStats.Appended, says that it is on disk. r.Value is
// copied. When there is no room the least severe records go, this one included, unless SpoolOptions.Patience is set.
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

// waitForMemory waits until size bytes may be held back, but not for a disk that takes nothing if there is no patience.
func (s *Spool) waitForMemory(size int) error {
	var late bool
	if s.o.Patience > 0 {
		acked := s.acked
		var t *time.Timer
		t = time.AfterFunc(s.o.Patience, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.acked != acked { // something moves: be patient again
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

// Sync waits until every record that was appended before is on disk. While the disk takes nothing it gives that fault.
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

// countDropped counts a record that was handed out and that nobody takes, not even the side file.
func (s *Spool) countDropped(r Rank) {
	s.mu.Lock()
	s.stats.Dropped[r]++
	s.mu.Unlock()
}

// Stats gives the counts.
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

// Close writes what is held back and ends. Records that are not acknowledged stay for the next run; an error says that
// some of them could not be written.
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
