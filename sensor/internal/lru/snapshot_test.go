// SPDX-License-Identifier: Apache-2.0

package lru

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/snapshot"
	"stillwatch/sensor/internal/snapshot/snapshottest"
)

func partOf(t *Table[uint16, int]) snapshot.Part {
	return t.Part("t/1", func(c *snapshot.Codec, k *uint16) { snapshot.Number(c, k) }, func(c *snapshot.Codec, v *int) { c.Int(v) })
}

// inOrder returns keys and values from the oldest to the newest.
func inOrder(t *Table[uint16, int]) (all []string) {
	for n := t.oldest; n != 0; n = t.linkOf(n).newer {
		all = append(all, fmt.Sprint(t.at(n).key, "=", t.at(n).val))
	}
	return all
}

// TestSnapshotRestoresTheTable does what tables go through, saves now and then some of what has changed, and holds what is restored in the
// end to the table: entries and order of use.
func TestSnapshotRestoresTheTable(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		limit := 1 + r.IntN(12)
		table := New[uint16, int](limit)
		p := partOf(table)
		d, b := snapshottest.Disk{}, &snapshot.Batch{}
		value := 0
		for range r.IntN(120) {
			k := uint16(r.IntN(30))
			switch r.IntN(8) {
			case 0, 1, 2:
				value++
				*table.Put(k) = value
			case 3:
				if v := table.Get(k); v != nil {
					value++
					*v = value
				}
			case 4:
				table.Drop(k)
			case 5:
				table.DropOldest()
			default:
				p.Drain(b, 1+r.IntN(6))
				d.Apply(t, b)
			}
		}
		for more := true; more; {
			more = p.Drain(b, 5) > 0
			d.Apply(t, b)
		}
		again := New[uint16, int](limit)
		q := partOf(again)
		if bad := q.Restore(d.Records("t/1")); bad != 0 {
			t.Fatalf("%d records are bad", bad)
		}
		if got, want := inOrder(again), inOrder(table); !slices.Equal(got, want) || len(d["t/1"]) != table.Len() {
			t.Fatalf("seed %d: %v, want %v; %d on disk", seed, got, want, len(d["t/1"]))
		}
		if n := q.Drain(b, 100); n != 0 {
			t.Fatalf("%d records have changed although nothing was done", n)
		}
	}
}

// TestSmallerLimitEvictsTheOldest restores more than the table holds now.
func TestSmallerLimitEvictsTheOldest(t *testing.T) {
	table := New[uint16, int](8)
	p := partOf(table)
	for k := range uint16(8) {
		*table.Put(k) = int(k)
	}
	d, b := snapshottest.Disk{}, &snapshot.Batch{}
	p.Drain(b, 100)
	d.Apply(t, b)
	again := New[uint16, int](3)
	q := partOf(again)
	q.Restore(d.Records("t/1"))
	if got := inOrder(again); !slices.Equal(got, []string{"5=5", "6=6", "7=7"}) {
		t.Fatalf("%v", got)
	}
	q.Drain(b, 100)
	if d.Apply(t, b); len(d["t/1"]) != 3 {
		t.Fatalf("%d records on disk", len(d["t/1"]))
	}
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte{1}, []byte{0, 0, 0, 0, 0, 0, 0, 1, 2})
	mutate.Fuzz(f, func(t *testing.T, k, v []byte) {
		table := New[uint16, int](4)
		bad := partOf(table).Restore(func(yield func(k, v []byte) bool) { yield(k, v) })
		if bad+table.Len() != 1 {
			t.Errorf("%d bad, %d taken", bad, table.Len())
		}
	})
}
