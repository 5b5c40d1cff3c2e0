// SPDX-License-Identifier: Apache-2.0

// Package snapshottest supports tests of saved state with a disk in memory.
package snapshottest

import (
	"maps"
	"slices"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/snapshot"
)

// Disk is the saved records by part and key.
type Disk map[string]map[string][]byte

// Apply applies the changes of a batch and empties it.
func (d Disk) Apply(t testing.TB, b *snapshot.Batch) {
	t.Helper()
	err := snapshot.Changes(b.Bytes(), func(c snapshot.Change) error {
		if d[c.Part] == nil || c.Clear {
			d[c.Part] = map[string][]byte{}
		}
		switch {
		case c.Clear:
		case c.Value == nil:
			delete(d[c.Part], string(c.Key))
		default:
			d[c.Part][string(c.Key)] = slices.Clone(c.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Reset()
}

// Drain saves all changes of parts, some records at a time.
func (d Disk) Drain(t testing.TB, parts []snapshot.Part, some int) {
	t.Helper()
	var b snapshot.Batch
	for _, p := range parts {
		for more := true; more; {
			more = p.Drain(&b, some) > 0
			d.Apply(t, &b)
		}
	}
}

// Records returns the records of a part.
func (d Disk) Records(part string) snapshot.Records {
	return func(yield func(k, v []byte) bool) {
		for _, k := range slices.Sorted(maps.Keys(d[part])) {
			if !yield([]byte(k), d[part][k]) {
				return
			}
		}
	}
}

// Restore restores parts, and fails the test if a record cannot be read.
func (d Disk) Restore(t testing.TB, parts []snapshot.Part) {
	t.Helper()
	for _, p := range parts {
		if bad := p.Restore(d.Records(p.Name)); bad > 0 {
			t.Fatalf("%s: %d of %d records could not be read", p.Name, bad, len(d[p.Name]))
		}
	}
}

// Fuzz restores parts from known, with the records of one part replaced by a single fuzzed record, and then calls use. It checks only that nothing panics.
func Fuzz(f *testing.F, parts func() []snapshot.Part, known Disk, use func(t *testing.T)) {
	n := uint8(0)
	for _, p := range parts() {
		for k, v := range known.Records(p.Name) {
			f.Add(n, slices.Clone(k), slices.Clone(v))
		}
		n++
	}
	mutate.Fuzz(f, func(t *testing.T, which uint8, k, v []byte) {
		for i, p := range parts() {
			p.Restore(func(yield func(k, v []byte) bool) {
				if i == int(which) && !yield(k, v) {
					return
				}
				for k, v := range known.Records(p.Name) {
					if i != int(which) && !yield(k, v) {
						return
					}
				}
			})
		}
		use(t)
	})
}
