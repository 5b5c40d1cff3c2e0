// SPDX-License-Identifier: Apache-2.0

package detect

import "container/list"

// table is a bounded map that forgets what was used longest ago. It is what keeps a flood of sources or targets from
// growing memory: evictions are counted, and their order depends on the events alone.
type table[K comparable, V any] struct {
	limit   int
	byKey   map[K]*list.Element
	order   *list.List // of *cell[K, V], least recently used first
	evicted uint64
}

type cell[K comparable, V any] struct {
	key  K
	used int64
	val  V
}

func newTable[K comparable, V any](limit int) *table[K, V] {
	return &table[K, V]{limit: max(limit, 1), byKey: map[K]*list.Element{}, order: list.New()}
}

// get gives the value of k, nil if there is none. The pointer is valid until k is evicted or dropped.
func (t *table[K, V]) get(k K, now int64) *V {
	el, ok := t.byKey[k]
	if !ok {
		return nil
	}
	c := el.Value.(*cell[K, V])
	c.used = now
	t.order.MoveToBack(el)
	return &c.val
}

// put gives the value of k, making a zero one if there is none; when the table is full the oldest goes.
func (t *table[K, V]) put(k K, now int64) *V {
	if v := t.get(k, now); v != nil {
		return v
	}
	for len(t.byKey) >= t.limit {
		t.drop(t.order.Front().Value.(*cell[K, V]).key)
		t.evicted++
	}
	c := &cell[K, V]{key: k, used: now}
	t.byKey[k] = t.order.PushBack(c)
	return &c.val
}

func (t *table[K, V]) drop(k K) {
	if el, ok := t.byKey[k]; ok {
		t.order.Remove(el)
		delete(t.byKey, k)
	}
}

// expire drops what was not used since before.
func (t *table[K, V]) expire(before int64) {
	for el := t.order.Front(); el != nil; el = t.order.Front() {
		c := el.Value.(*cell[K, V])
		if c.used >= before {
			return
		}
		t.drop(c.key)
	}
}

func (t *table[K, V]) len() int { return len(t.byKey) }

// insertTime puts at into times, which are kept in rising order, and forgets what is older than the window that ends at
// the newest; at most limit are kept, the newest. Events of one kind come nearly, not wholly, in the order of their start.
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
