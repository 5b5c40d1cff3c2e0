// SPDX-License-Identifier: Apache-2.0

// Package recent holds the table by which everything behind the shards is bounded: it keeps what was used last and forgets what
// was used longest ago.
package recent

import (
	"hash/maphash"
	"math/bits"
)

// cellsPerChunk is how many cells are made at once. Cells never move, so that a pointer to a value stays good while others come and go.
const (
	chunkBits     = 8
	cellsPerChunk = 1 << chunkBits
)

// cell is an entry, linked into the order of use, or into the list of free cells by next. Cells are named by number from 1.
type cell[K comparable, V any] struct {
	val          V
	key          K
	older, newer uint32
}

// Table is a bounded map that knows in which order its entries were used. What it forgets when it is full depends on that order
// alone. An entry takes its key, its value and some 15 bytes. Not safe for concurrent use.
type Table[K comparable, V any] struct {
	limit  int
	live   int
	seed   maphash.Seed // of this table, so that nobody outside can choose keys that collide
	chunks []*[cellsPerChunk]cell[K, V]
	made   uint32 // cells ever made
	free   uint32 // first free cell, 0 if none

	// index is a hash table with linear probing: 0 is empty, else the number of a cell in the low bits and a part of the hash of its key
	// in the rest, which spares most looks at keys that are others.
	index []uint32
	shift uint8 // bits of a cell number

	oldest, newest uint32
	evicted        uint64

	saved saved[K]
}

// New gives an empty table of at most limit entries, at least one and at most a billion.
func New[K comparable, V any](limit int) *Table[K, V] {
	t := &Table[K, V]{limit: min(max(limit, 1), 1<<30), seed: maphash.MakeSeed()}
	t.resize(16)
	return t
}

// Limit sets how many entries there may be. If there are more, those used longest ago are forgotten.
func (t *Table[K, V]) Limit(limit int) {
	t.limit = min(max(limit, 1), 1<<30)
	for t.live > t.limit {
		t.DropOldest()
		t.evicted++
	}
}

// Len is the number of entries, Evicted how many were forgotten because the table was full.
func (t *Table[K, V]) Len() int { return t.live }

// Evicted counts the entries that were forgotten because the table was full.
func (t *Table[K, V]) Evicted() uint64 { return t.evicted }

// Peek gives the value of k without using it, nil if there is none. The pointer is good until k is dropped or forgotten.
func (t *Table[K, V]) Peek(k K) *V {
	if _, n := t.find(k, t.hash(k)); n != 0 {
		return &t.at(n).val
	}
	return nil
}

// Get gives the value of k, nil if there is none, and makes k the one used last.
func (t *Table[K, V]) Get(k K) *V {
	_, n := t.find(k, t.hash(k))
	if n == 0 {
		return nil
	}
	return t.use(n)
}

// Put gives the value of k, making a zero one if there is none, and makes k the one used last. When the table is full the one
// used longest ago goes.
func (t *Table[K, V]) Put(k K) *V {
	h := t.hash(k)
	slot, n := t.find(k, h)
	if n != 0 {
		return t.use(n)
	}
	for t.live >= t.limit {
		t.DropOldest()
		t.evicted++
		slot, _ = t.find(k, h)
	}
	if (t.live+1)*4 > len(t.index)*3 {
		t.resize(2 * len(t.index))
		slot, _ = t.find(k, h)
	}
	n = t.make(k)
	t.index[slot] = t.entry(n, h)
	t.live++
	return &t.at(n).val
}

// Drop forgets k, if it is there.
func (t *Table[K, V]) Drop(k K) {
	if slot, n := t.find(k, t.hash(k)); n != 0 {
		t.remove(slot, n)
	}
}

// Oldest gives the entry that was used longest ago; ok is false if there is none.
func (t *Table[K, V]) Oldest() (k K, v *V, ok bool) {
	if t.oldest == 0 {
		return k, nil, false
	}
	c := t.at(t.oldest)
	return c.key, &c.val, true
}

// DropOldest forgets the entry that was used longest ago, if there is one.
func (t *Table[K, V]) DropOldest() {
	if t.oldest != 0 {
		t.Drop(t.at(t.oldest).key)
	}
}

func (t *Table[K, V]) at(n uint32) *cell[K, V] {
	n--
	return &t.chunks[n>>chunkBits][n&(cellsPerChunk-1)]
}

func (t *Table[K, V]) hash(k K) uint64 { return maphash.Comparable(t.seed, k) }

// entry is what stands in the index for cell n with hash h.
func (t *Table[K, V]) entry(n uint32, h uint64) uint32 { return uint32(h>>32)>>t.shift<<t.shift | n }

// find gives the slot and the cell of k, or the slot where it would stand and 0.
func (t *Table[K, V]) find(k K, h uint64) (slot, n uint32) {
	mask, low := uint32(len(t.index)-1), uint32(1)<<t.shift-1
	want := t.entry(0, h)
	for slot = uint32(h) & mask; ; slot = (slot + 1) & mask {
		x := t.index[slot]
		if x == 0 {
			return slot, 0
		}
		if x&^low == want && t.at(x&low).key == k {
			return slot, x & low
		}
	}
}

// use moves a cell to the end of the order.
func (t *Table[K, V]) use(n uint32) *V {
	c := t.at(n)
	if t.saved.upTo == n {
		t.saved.upTo = c.older
	}
	if t.newest != n {
		t.unlink(c)
		t.link(n, c)
	}
	return &c.val
}

func (t *Table[K, V]) link(n uint32, c *cell[K, V]) {
	c.older, c.newer = t.newest, 0
	if t.newest != 0 {
		t.at(t.newest).newer = n
	} else {
		t.oldest = n
	}
	t.newest = n
}

func (t *Table[K, V]) unlink(c *cell[K, V]) {
	if c.older != 0 {
		t.at(c.older).newer = c.newer
	} else {
		t.oldest = c.newer
	}
	if c.newer != 0 {
		t.at(c.newer).older = c.older
	} else {
		t.newest = c.older
	}
}

// make gives a cell for k at the end of the order.
func (t *Table[K, V]) make(k K) uint32 {
	n := t.free
	if n != 0 {
		t.free = t.at(n).newer
	} else {
		if t.made&(cellsPerChunk-1) == 0 {
			t.chunks = append(t.chunks, new([cellsPerChunk]cell[K, V]))
		}
		t.made++
		n = t.made
	}
	c := t.at(n)
	c.key = k
	t.link(n, c)
	return n
}

func (t *Table[K, V]) remove(slot, n uint32) {
	t.close(slot)
	c := t.at(n)
	t.dropped(n, c)
	t.unlink(c)
	*c = cell[K, V]{newer: t.free}
	t.free = n
	t.live--
}

// close empties a slot and moves up what had to stand behind it (Knuth, volume 3, section 6.4, algorithm R).
func (t *Table[K, V]) close(slot uint32) {
	mask, low := uint32(len(t.index)-1), uint32(1)<<t.shift-1
	for next := (slot + 1) & mask; t.index[next] != 0; next = (next + 1) & mask {
		home := uint32(t.hash(t.at(t.index[next]&low).key)) & mask
		if (next-home)&mask >= (next-slot)&mask {
			t.index[slot] = t.index[next]
			slot = next
		}
	}
	t.index[slot] = 0
}

// resize makes the index anew with size slots, a power of two.
func (t *Table[K, V]) resize(size int) {
	t.index = make([]uint32, size)
	t.shift = uint8(bits.Len(uint(size - 1)))
	mask := uint32(size - 1)
	for n := t.oldest; n != 0; {
		c := t.at(n)
		h := t.hash(c.key)
		slot := uint32(h) & mask
		for t.index[slot] != 0 {
			slot = (slot + 1) & mask
		}
		t.index[slot] = t.entry(n, h)
		n = c.newer
	}
}
