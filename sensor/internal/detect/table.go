// SPDX-License-Identifier: Apache-2.0

package detect

import "stillwatch/sensor/internal/lru"

// table is a bounded map. When it is full it evicts the entry that was used longest ago; expire drops old entries. So a flood of
// sources or targets does not grow memory: evictions are counted, and their order depends on the events alone.
type table[K comparable, V any] struct{ lru *lru.Table[K, dated[V]] }

type dated[V any] struct {
	val  V
	used int64
}

func newTable[K comparable, V any](limit int) *table[K, V] {
	return &table[K, V]{lru.New[K, dated[V]](limit)}
}

// get returns the value of k, nil if there is none. The pointer is valid until k is evicted or dropped.
func (t *table[K, V]) get(k K, now int64) *V {
	d := t.lru.Get(k)
	if d == nil {
		return nil
	}
	d.used = now
	return &d.val
}

// put returns the value of k and adds a zero one if there is none. A full table evicts the entry that was used longest ago.
func (t *table[K, V]) put(k K, now int64) *V {
	d := t.lru.Put(k)
	d.used = now
	return &d.val
}

// take removes k and returns its value; ok is false if it is not there.
func (t *table[K, V]) take(k K) (v V, ok bool) {
	d, ok := t.lru.Take(k)
	return d.val, ok
}

func (t *table[K, V]) drop(k K) { t.lru.Drop(k) }

// expire drops the entries that were last used before a time.
func (t *table[K, V]) expire(before int64) {
	for {
		_, d, ok := t.lru.Oldest()
		if !ok || d.used >= before {
			return
		}
		t.lru.DropOldest()
	}
}

// limit sets the maximum number of entries.
func (t *table[K, V]) limit(n int) { t.lru.Limit(n) }

func (t *table[K, V]) len() int { return t.lru.Len() }

func (t *table[K, V]) evicted() uint64 { return t.lru.Evicted() }

// insertTime inserts at into times, which are in rising order. It drops those older than the window that ends at the newest, and the
// oldest beyond limit. Events of one kind arrive nearly, but not exactly, in the order of their start.
func insertTime(times []int64, at, window int64, limit int) []int64 {
	i := len(times)
	for i > 0 && times[i-1] > at {
		i--
	}
	times = append(times, 0)
	copy(times[i+1:], times[i:])
	times[i] = at
	newest, from := times[len(times)-1], 0
	for times[from] < newest-window {
		from++
	}
	from = max(from, len(times)-limit)
	if from == 0 {
		return times
	}
	return append(times[:0], times[from:]...)
}

// evicter is a detector with tables that may be full.
type evicter interface{ evictions() uint64 }

// Evictions returns how many entries the tables of the detectors have dropped because they were full. Each was still of use: a
// counter that rises means that a limit is too low for this network, or that somebody floods it.
func Evictions(ds []Detector) (n uint64) {
	for _, d := range ds {
		if e, ok := d.(evicter); ok {
			n += e.evictions()
		}
	}
	return n
}
