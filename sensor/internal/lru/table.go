// SPDX-License-Identifier: Apache-2.0

// Package lru implements a bounded map that evicts the least recently used entry. It bounds the tables of the correlator.
package lru

import (
	"hash/maphash"
	"iter"
	"math/bits"

	"stillwatch/sensor/internal/cacheline"
)

// cellsPerChunk is the number of cells that are allocated together. Cells never move, so a pointer to a value stays valid while other entries
// are added and removed.
const (
	chunkBits     = 8
	cellsPerChunk = 1 << chunkBits
)

// cell is an entry. Cells are numbered from 1.
type cell[K comparable, V any] struct {
	val V
	key K
}

// link is the place of a cell in the order of use, or in the list of free cells (newer).
type link struct {
	older, newer uint32
	hash         uint32 // the lower half of that of the key
}

// chunk holds cells. Their links are stored separately and close together: moving a cell to the end of the order touches the links of its
// neighbors, but not their values.
type chunk[K comparable, V any] struct {
	links [cellsPerChunk]link
	cells [cellsPerChunk]cell[K, V]
}

// Table is a bounded map in the order of use. Which entry it evicts when it is full depends on that order alone. An entry takes its key, its
// value and about 20 bytes. It is not safe for concurrent use.
type Table[K comparable, V any] struct {
	limit  int
	live   int
	seed   maphash.Seed // random, so that an attacker cannot choose colliding keys
	chunks []*chunk[K, V]
	made   uint32 // allocated cells
	free   uint32 // first free cell, 0 if none

	// index is a hash table with linear probing: 0 is empty, else the number of a cell in the low bits and a part of its hash in the rest,
	// which avoids most comparisons with other keys.
	index []uint32
	shift uint8 // bits of a cell number

	oldest, newest uint32
	evicted        uint64

	saved saved[K]
}

// New returns an empty table of at most limit entries; limit is clamped to the range from 1 to 2^30.
func New[K comparable, V any](limit int) *Table[K, V] {
	t := &Table[K, V]{limit: min(max(limit, 1), 1<<30), seed: maphash.MakeSeed()}
	t.resize(16)
	return t
}

// Limit sets the maximum number of entries. If there are more, the least recently used are evicted.
func (t *Table[K, V]) Limit(limit int) {
	t.limit = min(max(limit, 1), 1<<30)
	for t.live > t.limit {
		t.DropOldest()
		t.evicted++
	}
}

// Len returns the number of entries.
func (t *Table[K, V]) Len() int { return t.live }

// Evicted returns the number of entries that were evicted because the table was full.
func (t *Table[K, V]) Evicted() uint64 { return t.evicted }

// Peek returns the value of k without marking it as used, nil if there is none. The pointer is valid until k is dropped or evicted.
func (t *Table[K, V]) Peek(k K) *V {
	if n := t.number(k); n != 0 {
		return &t.at(n).val
	}
	return nil
}

// Get returns the value of k, nil if there is none, and marks k as used.
func (t *Table[K, V]) Get(k K) *V {
	if n := t.number(k); n != 0 {
		return t.use(n)
	}
	return nil
}

// Put returns the value of k, adding a zero value if there is none, and marks k as used. If the table is full, the least recently used entry is
// evicted.
func (t *Table[K, V]) Put(k K) *V {
	h := t.hash(k)
	i, n := t.find(k, h)
	if n != 0 {
		return t.use(n)
	}
	for t.live >= t.limit {
		t.DropOldest()
		t.evicted++
		i, _ = t.find(k, h)
	}
	if (t.live+1)*4 > len(t.index)*3 {
		t.resize(2 * len(t.index))
		i, _ = t.find(k, h)
	}
	n = t.make(k, h)
	t.index[i] = t.entry(n, h)
	t.live++
	return &t.at(n).val
}

// Take removes k and returns its value; ok is false if it is not there.
func (t *Table[K, V]) Take(k K) (v V, ok bool) {
	if t.live == 0 {
		return v, false
	}
	i, n := t.find(k, t.hash(k))
	if n == 0 {
		return v, false
	}
	v = t.at(n).val
	t.remove(i, n)
	return v, true
}

// Drop removes k if it is there.
func (t *Table[K, V]) Drop(k K) {
	if t.live == 0 {
		return
	}
	if i, n := t.find(k, t.hash(k)); n != 0 {
		t.remove(i, n)
	}
}

// Oldest returns the least recently used entry; ok is false if the table is empty.
func (t *Table[K, V]) Oldest() (k K, v *V, ok bool) {
	if t.oldest == 0 {
		return k, nil, false
	}
	c := t.at(t.oldest)
	return c.key, &c.val, true
}

// All returns the entries, the least recently used first. The table must not change meanwhile.
func (t *Table[K, V]) All() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		for n := t.oldest; n != 0; n = t.linkOf(n).newer {
			if c := t.at(n); !yield(c.key, &c.val) {
				return
			}
		}
	}
}

// DropOldest removes the least recently used entry, if there is one.
func (t *Table[K, V]) DropOldest() {
	if t.oldest != 0 {
		t.remove(t.slot(t.oldest), t.oldest)
	}
}

// slot returns the slot of cell n. It compares no keys, which are likely not in the cache.
func (t *Table[K, V]) slot(n uint32) uint32 {
	h, mask := t.linkOf(n).hash, uint32(len(t.index)-1)
	i := t.home(h)
	for want := t.entry(n, h); t.index[i] != want; {
		i = (i + 1) & mask
	}
	return i
}

func (t *Table[K, V]) at(n uint32) *cell[K, V] {
	n--
	return &t.chunks[n>>chunkBits].cells[n&(cellsPerChunk-1)]
}

func (t *Table[K, V]) linkOf(n uint32) *link {
	n--
	return &t.chunks[n>>chunkBits].links[n&(cellsPerChunk-1)]
}

func (t *Table[K, V]) hash(k K) uint32 { return uint32(maphash.Comparable(t.seed, k)) }

// number returns the cell of k, 0 if there is none. Many tables concern attacks and are empty: they need no hash.
func (t *Table[K, V]) number(k K) uint32 {
	if t.live == 0 {
		return 0
	}
	_, n := t.find(k, t.hash(k))
	return n
}

// entry returns the index entry of cell n with hash h.
func (t *Table[K, V]) entry(n, h uint32) uint32 { return h>>t.shift<<t.shift | n }

// find returns the slot and the cell of k, or the slot for it and 0.
func (t *Table[K, V]) find(k K, h uint32) (i, n uint32) {
	mask, low := uint32(len(t.index)-1), uint32(1)<<t.shift-1
	want := t.entry(0, h)
	for i = t.home(h); ; i = (i + 1) & mask {
		x := t.index[i]
		if x == 0 {
			return i, 0
		}
		if x&^low == want && t.at(x&low).key == k {
			return i, x & low
		}
	}
}

// home returns the preferred slot of a hash.
func (t *Table[K, V]) home(h uint32) uint32 { return h & uint32(len(t.index)-1) }

// use moves a cell to the end of the order.
func (t *Table[K, V]) use(n uint32) *V {
	if t.saved.upTo == n {
		t.saved.upTo = t.linkOf(n).older
	}
	if t.newest != n {
		t.unlink(n)
		t.link(n)
	}
	return &t.at(n).val
}

func (t *Table[K, V]) link(n uint32) {
	l := t.linkOf(n)
	l.older, l.newer = t.newest, 0
	if t.newest != 0 {
		t.linkOf(t.newest).newer = n
	} else {
		t.oldest = n
	}
	t.newest = n
}

func (t *Table[K, V]) unlink(n uint32) {
	l := t.linkOf(n)
	if l.older != 0 {
		t.linkOf(l.older).newer = l.newer
	} else {
		t.oldest = l.newer
	}
	if l.newer != 0 {
		t.linkOf(l.newer).older = l.older
	} else {
		t.newest = l.older
	}
}

// make returns a cell for k at the end of the order.
func (t *Table[K, V]) make(k K, h uint32) uint32 {
	n := t.free
	if n != 0 {
		t.free = t.linkOf(n).newer
	} else {
		if t.made&(cellsPerChunk-1) == 0 {
			t.chunks = append(t.chunks, new(chunk[K, V]))
		}
		t.made++
		n = t.made
	}
	t.at(n).key = k
	t.linkOf(n).hash = h
	t.link(n)
	return n
}

func (t *Table[K, V]) remove(i, n uint32) {
	t.close(i)
	t.dropped(n)
	t.unlink(n)
	*t.at(n) = cell[K, V]{}
	*t.linkOf(n) = link{newer: t.free}
	t.free = n
	t.live--
}

// close empties a slot and moves up the entries that it displaced (Knuth, volume 3, section 6.4, algorithm R).
func (t *Table[K, V]) close(i uint32) {
	mask, low := uint32(len(t.index)-1), uint32(1)<<t.shift-1
	for next := (i + 1) & mask; t.index[next] != 0; next = (next + 1) & mask {
		home := t.home(t.linkOf(t.index[next] & low).hash)
		if (next-home)&mask >= (next-i)&mask {
			t.index[i] = t.index[next]
			i = next
		}
	}
	t.index[i] = 0
}

// resize rebuilds the index with size slots, a power of two.
func (t *Table[K, V]) resize(size int) {
	t.index = make([]uint32, size)
	cacheline.Touch(t.index)
	t.shift = uint8(bits.Len(uint(size - 1)))
	mask := uint32(size - 1)
	for n := t.oldest; n != 0; {
		l := t.linkOf(n)
		i := t.home(l.hash)
		for t.index[i] != 0 {
			i = (i + 1) & mask
		}
		t.index[i] = t.entry(n, l.hash)
		n = l.newer
	}
}
