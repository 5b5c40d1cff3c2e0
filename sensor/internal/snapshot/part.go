// SPDX-License-Identifier: Apache-2.0

package snapshot

import (
	"cmp"
	"iter"
	"slices"
)

// Records iterates over the records of a part in the order of their keys. Keys and values are valid only during the iteration.
type Records = iter.Seq2[[]byte, []byte]

// Part is a table of the saved state.
type Part struct {
	// Name is the name of the table and the version of its records, such as "callbacks/1". Records of another version are not read.
	Name string
	// Drain writes the changes since the last call, at most limit records, and returns how many it wrote. If that is limit, there may be
	// more.
	Drain func(b *Batch, limit int) int
	// Restore fills the empty table, and returns how many records could not be read.
	Restore func(Records) (bad int)
}

// Single returns a part of one record that is written with every snapshot.
func Single(name string, walk func(*Codec)) Part {
	return Part{
		Name: name,
		Drain: func(b *Batch, _ int) int {
			b.PutSingle(name, walk)
			return 0 // it does not count against the limit
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

// sequenced is a record with its position in the order of use.
type sequenced struct {
	seq      uint64
	key, val []byte
}

// InOrder calls fn for records whose values begin with a sequence number (Codec.Fixed), in that order, with the rest of the value. It returns
// how many records have none.
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
