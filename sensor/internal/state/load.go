// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"stillwatch/sensor/internal/snapshot"
)

// Clock returns the capture clock of the last snapshot, 0 if there is none.
func (s *Store) Clock() int64 { return s.clock }

// Load restores parts in their order.
func (s *Store) Load(parts []snapshot.Part) error {
	over, err := overlay(s.old)
	if err != nil {
		return fmt.Errorf("state %s: %w", s.path, ErrDamaged)
	}
	var dropped []string
	err = withRecovery(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			for i := range parts {
				s.load(tx, &parts[i], over)
			}
			if n := s.stats.LeftOut; n > 0 {
				s.o.Report(fmt.Errorf("state %s: %d records could not be read and were skipped", s.path, n))
			}
			return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
				if n := s.outdated(string(name), b, parts); n > 0 {
					dropped = append(dropped, fmt.Sprintf("%d of %s", n, name))
				}
				return nil
			})
		})
	})
	if err != nil {
		return fmt.Errorf("state %s: %w", s.path, err)
	}
	if len(dropped) > 0 {
		s.o.Report(fmt.Errorf("state %s: records that another version of the sensor wrote were dropped: %s", s.path, strings.Join(dropped, ", ")))
	}
	return nil
}

func (s *Store) load(tx *bolt.Tx, p *snapshot.Part, over map[string]map[string][]byte) {
	var damaged, taken uint64
	changes := over[p.Name]
	bad := p.Restore(func(yield func(k, v []byte) bool) {
		if b := tx.Bucket([]byte(p.Name)); b != nil {
			c := b.Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				if _, newer := changes[string(k)]; newer || v == nil {
					continue
				}
				n := len(v) - 4
				if n < 0 || binary.BigEndian.Uint32(v[n:]) != sum(p.Name, k, v[:n]) {
					damaged++
					continue
				}
				if taken++; !yield(k, v[:n]) {
					return
				}
			}
		}
		for k, v := range changes {
			if v == nil {
				continue
			}
			if taken++; !yield([]byte(k), v) {
				return
			}
		}
	})
	s.count(func(st *Stats) {
		st.LeftOut += damaged + uint64(bad)
		st.Restored += taken - uint64(bad)
	})
}

// outdated removes the records of a part whose format has changed, and returns how many. Records of a detector that is disabled now are kept.
func (s *Store) outdated(name string, b *bolt.Bucket, parts []snapshot.Part) int {
	old := slices.ContainsFunc(parts, func(p snapshot.Part) bool { return base(p.Name) == base(name) }) &&
		!slices.ContainsFunc(parts, func(p snapshot.Part) bool { return p.Name == name })
	if !old {
		return 0
	}
	var gone snapshot.Batch
	gone.Clear(name)
	s.old = append(s.old, gone.Bytes()...)
	n := b.Stats().KeyN
	s.count(func(st *Stats) { st.LeftOut += uint64(n) })
	return n
}

// overlay returns the records that changes write, by part and key; nil is a removed record. The journal never clears a part.
func overlay(changes []byte) (map[string]map[string][]byte, error) {
	over := map[string]map[string][]byte{}
	err := snapshot.Changes(changes, func(c snapshot.Change) error {
		if over[c.Part] == nil {
			over[c.Part] = map[string][]byte{}
		}
		over[c.Part][string(c.Key)] = c.Value
		return nil
	})
	return over, err
}

// withRecovery calls f and turns a memory fault into an error: the database is mapped into memory, so a disk that cannot be read causes one.
func withRecovery(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w (%v)", ErrDamaged, r)
		}
	}()
	return f()
}
