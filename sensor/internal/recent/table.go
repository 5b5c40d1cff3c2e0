// SPDX-License-Identifier: Apache-2.0

// Package recent holds the table by which everything behind the shards is bounded: it keeps what was used last and forgets what
// was used longest ago.
package recent

import "hash/maphash"

// cellsPerChunk is how many cells are made at once. Cells never move, so that a pointer to a value stays good while others come and go.
const (
	chunkBits     = 8
	cellsPerChunk = 1 << chunkBits
)

// cell is an entry. Cells are named by number from 1.
type cell[K comparable, V any] struct {
	val V
	key K
}

// link puts a cell into the order of use, or into the list of free cells by newer. Links stand apart from the cells and close to each other:
// to move one to the end of the order takes its neighbours as well, and those are of no interest otherwise.
type link struct{ older, newer uint32 }

// slot is a place in the index: the number of a cell, 0 if it is empty, and the lower half of the hash of its key, which tells where it
// belongs and spares nearly all looks at keys that are others.
type slot struct{ tag, cell uint32 }

// Table is a bounded map that knows in which order its entries were used. What it forgets when it is full depends on that order
// alone. An entry takes its key, its value and some 20 bytes. Not safe for concurrent use.
type Table[K comparable, V any] struct {
	limit  int
	live   int
	seed   maphash.Seed // of this table, so that nobody outside can choose keys that collide
	chunks []*[cellsPerChunk]cell[K, V]
	links  []link // by number of the cell; the first is nobody's
	free   uint32 // first free cell, 0 if none
	index  []slot // a hash table with linear probing

	oldest, newest uint32
	evicted        uint64

	saved saved[K]
}

// New gives an empty table of at most limit entries, at least one and at most a billion.
func New[K comparable, V any](limit int) *Table[K, V] {
	t := &Table[K, V]{limit: min(max(limit, 1), 1<<30), seed: maphash.MakeSeed()}
	t.links, t.index = make([]link, 1, 16), make([]slot, 16)
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
	if n := t.number(k); n != 0 {
		return &t.at(n).val
	}
	return nil
}

// Get gives the value of k, nil if there is none, and makes k the one used last.
func (t *Table[K, V]) Get(k K) *V {
	if n := t.number(k); n != 0 {
		return t.use(n)
	}
	return nil
}

// Put gives the value of k, making a zero one if there is none, and makes k the one used last. When the table is full the one
// used longest ago goes.
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
		t.grow()
		i, _ = t.find(k, h)
	}
	n = t.make(k)
	t.index[i] = slot{h, n}
	t.live++
	return &t.at(n).val
}

// Drop forgets k, if it is there.
func (t *Table[K, V]) Drop(k K) {
	if t.live == 0 {
		return
	}
	if i, n := t.find(k, t.hash(k)); n != 0 {
		t.remove(i, n)
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

func (t *Table[K, V]) hash(k K) uint32 { return uint32(maphash.Comparable(t.seed, k)) }

// number gives the cell of k, 0 if it has none. Many tables are of attacks, and empty: those are not worth a hash.
func (t *Table[K, V]) number(k K) uint32 {
	if t.live == 0 {
		return 0
	}
	_, n := t.find(k, t.hash(k))
	return n
}

// find gives the slot and the cell of k, or the slot where it would stand and 0.
func (t *Table[K, V]) find(k K, h uint32) (i, n uint32) {
	mask := uint32(len(t.index) - 1)
	for i = h & mask; ; i = (i + 1) & mask {
		x := t.index[i]
		if x.cell == 0 {
			return i, 0
		}
		if x.tag == h && t.at(x.cell).key == k {
			return i, x.cell
		}
	}
}

// use moves a cell to the end of the order.
func (t *Table[K, V]) use(n uint32) *V {
	if t.saved.upTo == n {
		t.saved.upTo = t.links[n].older
	}
	if t.newest != n {
		t.unlink(n)
		t.link(n)
	}
	return &t.at(n).val
}

func (t *Table[K, V]) link(n uint32) {
	t.links[n] = link{older: t.newest}
	if t.newest != 0 {
		t.links[t.newest].newer = n
	} else {
		t.oldest = n
	}
	t.newest = n
}

func (t *Table[K, V]) unlink(n uint32) {
	l := t.links[n]
	if l.older != 0 {
		t.links[l.older].newer = l.newer
	} else {
		t.oldest = l.newer
	}
	if l.newer != 0 {
		t.links[l.newer].older = l.older
	} else {
		t.newest = l.older
	}
}

// make gives a cell for k at the end of the order.
func (t *Table[K, V]) make(k K) uint32 {
	n := t.free
	if n != 0 {
		t.free = t.links[n].newer
	} else {
		n = uint32(len(t.links))
		if (n-1)&(cellsPerChunk-1) == 0 {
			t.chunks = append(t.chunks, new([cellsPerChunk]cell[K, V]))
		}
		t.links = append(t.links, link{})
	}
	t.at(n).key = k
	t.link(n)
	return n
}

func (t *Table[K, V]) remove(i, n uint32) {
	t.close(i)
	t.dropped(n)
	t.unlink(n)
	*t.at(n) = cell[K, V]{}
	t.links[n] = link{newer: t.free}
	t.free = n
	t.live--
}

// close empties a slot and moves up what had to stand behind it (Knuth, volume 3, section 6.4, algorithm R).
func (t *Table[K, V]) close(i uint32) {
	mask := uint32(len(t.index) - 1)
	for next := (i + 1) & mask; t.index[next].cell != 0; next = (next + 1) & mask {
		if home := t.index[next].tag & mask; (next-home)&mask >= (next-i)&mask {
			t.index[i] = t.index[next]
			i = next
		}
	}
	t.index[i] = slot{}
}

// grow doubles the index.
func (t *Table[K, V]) grow() {
	old := t.index
	t.index = make([]slot, 2*len(old))
	mask := uint32(len(t.index) - 1)
	for _, x := range old {
		if x.cell == 0 {
			continue
		}
		i := x.tag & mask
		for t.index[i].cell != 0 {
			i = (i + 1) & mask
		}
		t.index[i] = x
	}
}
