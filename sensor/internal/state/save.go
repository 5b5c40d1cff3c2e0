// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"stillwatch/internal/panics"
	"stillwatch/sensor/internal/snapshot"
)

// retryDisk is the pause after a snapshot that could not be written.
const retryDisk = time.Second

// Ready returns a batch to fill with what has changed if a snapshot is due at clock (capture clock, nanoseconds), nil otherwise.
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

// Save queues the batch from Ready for writing. more means that there are more changes; Ready returns another batch as soon as possible then.
func (s *Store) Save(b *snapshot.Batch, clock int64, more bool) {
	if !s.more { // it starts a snapshot: later alerts are not in it
		s.step++
		s.journal.next(s.step)
	}
	s.clock, s.wall, s.more, s.late, s.whole = clock, time.Now(), more, false, !more
	j := job{batch: b, old: s.old, clock: clock, step: s.step, done: !more}
	if more {
		j.step-- // the rest of the snapshot is only in the journal
	}
	s.jobs <- j
	s.old = nil
}

// Decided writes an alert to the journal before it is sent: the changes to the state, and the record. If this run is killed before the next
// snapshot is on disk, the next run sends the record again.
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

// Repeat returns the records of alerts that the previous run may not have sent before it was killed.
func (s *Store) Repeat() [][]byte {
	all := s.journal.unsent
	s.journal.unsent = nil
	s.count(func(st *Stats) { st.Repeated = uint64(len(all)) })
	return all
}

// syncJournal syncs the journal soon after each entry, in case the machine crashes and not only the program.
func (s *Store) syncJournal() {
	for f := range s.sync {
		_ = f.Sync() // on failure the kernel still writes it later
	}
}

// Final returns the batch for the last snapshot, nil if the previous one is not written in time; Close reports that.
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

// errLate means that the disk takes too long.
var errLate = errors.New("the disk does not respond")

// Close waits for a limited time until the queued batches are on disk. An error means that the last changes are lost.
func (s *Store) Close() error {
	close(s.jobs)
	close(s.sync)
	t := time.AfterFunc(s.o.Patience, func() { close(s.closing) })
	defer t.Stop()
	var err error
	select {
	case <-s.done:
		st := s.Stats()
		err = errors.Join(st.Fault, s.journal.close(st.Fault == nil && s.whole), withRecovery(s.db.Close))
	case <-time.After(3 * s.o.Patience):
		s.lost = true
	}
	if err == nil && s.lost {
		err = errLate
	}
	if err != nil {
		return fmt.Errorf("state %s: the last changes are lost: %w", s.path, plain(err))
	}
	return nil
}

// write is the goroutine that writes batches. It retries a batch that cannot be written; later changes wait in the tables meanwhile.
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
	err := panics.ToError("writer of the state file", func() error {
		if err := s.o.Sync(); err != nil {
			return err
		}
		return withRecovery(func() error { return s.db.Update(func(tx *bolt.Tx) error { return s.apply(tx, j) }) })
	})
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
		s.o.Report(fmt.Errorf("state %s cannot be saved and will be retried: %w", s.path, plain(err)))
	case err == nil && was != nil:
		s.o.Report(fmt.Errorf("state %s is saved again", s.path))
	}
	return err == nil
}

// apply applies the changes of a batch.
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
