// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"stillwatch/sensor/internal/snapshot"
)

// retryDisk is the pause after a snapshot that could not be written.
const retryDisk = time.Second

// Ready gives the batch to fill with what has changed, if a snapshot is due at clock (capture clock, nanoseconds), nil otherwise.
func (s *Store) Ready(clock int64) *snapshot.Batch {
	if !s.more && (clock-s.clock < int64(s.o.Interval) || time.Since(s.wall) < s.o.Pause) {
		return nil
	}
	select {
	case b := <-s.free:
		b.Reset()
		return b
	default:
		if !s.more && !s.late {
			s.late = true
			s.count(func(st *Stats) { st.Postponed++ })
		}
		return nil
	}
}

// Save hands over the batch that Ready gave. more says that there was more than it was to hold: then Ready gives the next one at the
// next moment.
func (s *Store) Save(b *snapshot.Batch, clock int64, more bool) {
	if !s.more { // it begins a snapshot: what is told from now on is not in it
		s.step++
		s.journal.next(s.step)
	}
	s.clock, s.wall, s.more, s.late, s.whole = clock, time.Now(), more, false, !more
	j := job{batch: b, old: s.old, clock: clock, step: s.step, done: !more}
	if more {
		j.step-- // the journal has what the rest of it will hold
	}
	s.jobs <- j
	s.old = nil
}

// Decided takes an alert before it is handed on: what changes with it, and its record, which is handed on again should this run be
// killed before a snapshot is on disk.
func (s *Store) Decided(b *snapshot.Batch, record []byte) {
	s.whole = false
	err := s.journal.add(b.Bytes(), record)
	select {
	case s.sync <- s.journal.files[s.journal.at]:
	default:
	}
	s.count(func(st *Stats) {
		st.JournalBytes = s.journal.size()
		if err != nil {
			st.JournalErrors++
		}
	})
}

// Repeat gives the records of alerts that the run before may have been killed before it handed them on.
func (s *Store) Repeat() [][]byte {
	all := s.journal.told
	s.journal.told = nil
	s.count(func(st *Stats) { st.Repeated = uint64(len(all)) })
	return all
}

// syncJournal writes the journal to disk soon after each entry, for the case that the machine goes down and not only the program.
func (s *Store) syncJournal() {
	for f := range s.sync {
		_ = f.Sync() // without it the kernel writes later
	}
}

// Final gives the batch for the last snapshot, nil if the disk does not take the one before in time: Close tells of that.
func (s *Store) Final() *snapshot.Batch {
	select {
	case b := <-s.free:
		b.Reset()
		return b
	case <-time.After(s.o.Patience):
		s.lost = true
		return nil
	}
}

// errLate says that the disk takes too long.
var errLate = errors.New("the disk does not answer")

// Close waits until what was handed over is on disk, but not for ever. The error says what is lost.
func (s *Store) Close() error {
	close(s.jobs)
	close(s.sync)
	t := time.AfterFunc(s.o.Patience, func() { close(s.closing) })
	defer t.Stop()
	var err error
	select {
	case <-s.done:
		st := s.Stats()
		err = errors.Join(st.Fault, s.journal.close(st.Fault == nil && s.whole), guarded(s.db.Close))
	case <-time.After(3 * s.o.Patience):
		s.lost = true
	}
	if err == nil && s.lost {
		err = errLate
	}
	if err != nil {
		return fmt.Errorf("state %s: what was learned last is lost: %w", s.path, plain(err))
	}
	return nil
}

// write takes batches until there are no more. One that cannot be written is tried again: what has changed meanwhile waits where it is.
func (s *Store) write() {
	defer close(s.done)
	for j := range s.jobs {
		for !s.put(&j) {
			select {
			case <-s.closing:
				return
			case <-time.After(retryDisk):
			}
		}
		s.free <- j.batch
	}
}

// put writes a batch and reports whether it is on disk.
func (s *Store) put(j *job) bool {
	began := time.Now()
	err := s.o.Sync()
	if err == nil {
		err = guarded(func() error { return s.db.Update(func(tx *bolt.Tx) error { return s.apply(tx, j) }) })
	}
	was := s.Stats().Fault
	s.count(func(st *Stats) {
		st.Fault = err
		if err != nil {
			st.Errors++
			return
		}
		st.Records += uint64(j.batch.Len())
		st.Clock, st.Seconds = j.clock, time.Since(began).Seconds()
		if j.done {
			st.Saves++
		}
	})
	switch {
	case err != nil && was == nil:
		s.o.Told(fmt.Errorf("state %s cannot be saved; it is tried again: %w", s.path, plain(err)))
	case err == nil && was != nil:
		s.o.Told(fmt.Errorf("state %s is saved again", s.path))
	}
	return err == nil
}

// apply makes the changes of a batch.
func (s *Store) apply(tx *bolt.Tx, j *job) error {
	buckets := map[string]*bolt.Bucket{}
	for _, changes := range [][]byte{j.old, j.batch.Bytes()} {
		if err := snapshot.Changes(changes, func(c snapshot.Change) error { return change(tx, buckets, c) }); err != nil {
			return err
		}
	}
	s.count(func(st *Stats) { st.Bytes = tx.Size() })
	return s.writeMeta(tx, j)
}

func change(tx *bolt.Tx, buckets map[string]*bolt.Bucket, c snapshot.Change) error {
	name := []byte(c.Part)
	b := buckets[c.Part]
	if b == nil || c.Clear {
		if c.Clear && tx.Bucket(name) != nil {
			if err := tx.DeleteBucket(name); err != nil {
				return err
			}
		}
		var err error
		if b, err = tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
		buckets[c.Part] = b
	}
	switch {
	case c.Clear:
		return nil
	case c.Value == nil:
		return b.Delete(c.Key)
	}
	v := append(make([]byte, 0, len(c.Value)+4), c.Value...)
	return b.Put(c.Key, binary.BigEndian.AppendUint32(v, sum(c.Part, c.Key, c.Value)))
}
