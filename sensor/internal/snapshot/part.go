// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"cmp"
	"iter"
	"slices"
)

// Records gives the records of a part in the order of their keys. Keys and values are good while it runs.
type Records = iter.Seq2[[]byte, []byte]

// Part is one table of what a sensor knows.
type Part struct {
	// Name is that of the table and of the form of its records, "callbacks/1": records of another form are not read.
	Name string
	// Drain writes what has changed since it was last asked, at most limit records, and gives how many it wrote. When that is
	// limit there may be more.
	Drain func(b *Batch, limit int) int
	// Restore fills the empty table, and gives how many records could not be read.
	Restore func(Records) (bad int)
}

// Single gives a part of one record that is always written.
func Single(name string, walk func(*Codec)) Part {
	return Part{
		Name: name,
		Drain: func(b *Batch, _ int) int {
			b.PutSingle(name, walk)
			return 0 // it takes no room that others need
		},
		Restore: func(all Records) (bad int) {
			for _, v := range all {
				c := Reader(v)
				if walk(c); c.Done() != nil {
					bad++
				}
			}
			return bad
		},
	}
}

// sequenced is a record with its place in the order of use.
type sequenced struct {
	seq      uint64
	key, val []byte
}

// InOrder calls fn for records whose values begin with their place in an order (Codec.Fixed), in that order, with what follows it, and
// gives how many have none.
func InOrder(all Records, fn func(seq uint64, key, val []byte)) (bad int) {
	var list []sequenced
	for k, v := range all {
		s := sequenced{key: k}
		c := Reader(v)
		c.Fixed(&s.seq)
		if c.err != nil {
			bad++
			continue
		}
		s.val = c.buf
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b sequenced) int { return cmp.Compare(a.seq, b.seq) })
	for _, s := range list {
		fn(s.seq, s.key, s.val)
	}
	return bad
}
