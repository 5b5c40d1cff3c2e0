// SPDX-License-Identifier: Apache-2.0

package lru

import (
	"container/list"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLeastRecentlyUsedIsEvicted(t *testing.T) {
	tab := New[string, int](3)
	for i, k := range []string{"a", "b", "c"} {
		*tab.Put(k) = i
	}
	tab.Get("a")
	tab.Peek("b") // is no use
	*tab.Put("d") = 9
	if tab.Peek("b") != nil || *tab.Peek("a") != 0 || tab.Len() != 3 || tab.Evicted() != 1 {
		t.Errorf("%d entries, %d evicted", tab.Len(), tab.Evicted())
	}
	if k, v, ok := tab.Oldest(); k != "c" || !ok || *v != 2 {
		t.Errorf("the oldest is %q", k)
	}
	tab.Drop("c")
	tab.DropOldest()
	tab.DropOldest()
	if _, _, ok := tab.Oldest(); ok || tab.Len() != 0 || tab.Evicted() != 1 {
		t.Errorf("%d entries are left", tab.Len())
	}
	tab.DropOldest()
	tab.Drop("x")
	if v := tab.Put("d"); *v != 0 {
		t.Errorf("a new value is %d: a cell was not emptied", *v)
	}
}

func TestLimitsAreClamped(t *testing.T) {
	for _, limit := range []int{-1, 0, 1} {
		tab := New[int, int](limit)
		for i := range 10 {
			tab.Put(i)
		}
		if tab.Len() != 1 || tab.Evicted() != 9 {
			t.Errorf("limit %d: %d entries", limit, tab.Len())
		}
	}
}

// model is the same table made of a map and a list.
type model struct {
	limit   int
	byKey   map[uint16]*list.Element
	order   *list.List
	evicted uint64
}

type entry struct {
	k uint16
	v int
}

func (m *model) get(k uint16) *int {
	el := m.byKey[k]
	if el == nil {
		return nil
	}
	m.order.MoveToBack(el)
	return &el.Value.(*entry).v
}

func (m *model) put(k uint16) *int {
	if v := m.get(k); v != nil {
		return v
	}
	if len(m.byKey) >= m.limit {
		m.drop(m.order.Front().Value.(*entry).k)
		m.evicted++
	}
	e := &entry{k: k}
	m.byKey[k] = m.order.PushBack(e)
	return &e.v
}

func (m *model) drop(k uint16) {
	if el := m.byKey[k]; el != nil {
		m.order.Remove(el)
		delete(m.byKey, k)
	}
}

func TestTableMatchesAMapAndAList(t *testing.T) {
	for _, limit := range []int{1, 7, 300, 5000} {
		rnd := rand.New(rand.NewPCG(1, uint64(limit)))
		m := &model{limit: limit, byKey: map[uint16]*list.Element{}, order: list.New()}
		tab := New[uint16, int](limit)
		for i := range 60_000 {
			k := uint16(rnd.IntN(2 * limit))
			switch rnd.IntN(6) {
			case 0:
				tab.Drop(k)
				m.drop(k)
			case 5:
				a, ok := tab.Take(k)
				if b := m.get(k); ok != (b != nil) || ok && a != *b {
					t.Fatalf("step %d: Take(%d) differs", i, k)
				}
				m.drop(k)
			case 1:
				a, b := tab.Get(k), m.get(k)
				if (a == nil) != (b == nil) || a != nil && *a != *b {
					t.Fatalf("step %d: Get(%d) differs", i, k)
				}
			default:
				*tab.Put(k), *m.put(k) = i, i
			}
		}
		same(t, tab, m)
	}
}

// same empties both, the oldest first.
func same(t *testing.T, tab *Table[uint16, int], m *model) {
	t.Helper()
	if tab.Len() != len(m.byKey) || tab.Evicted() != m.evicted {
		t.Fatalf("%d entries, %d evicted, want %d, %d", tab.Len(), tab.Evicted(), len(m.byKey), m.evicted)
	}
	for el := m.order.Front(); el != nil; el = el.Next() {
		want := el.Value.(*entry)
		k, v, _ := tab.Oldest()
		if k != want.k || *v != want.v || *tab.Peek(k) != want.v {
			t.Fatalf("%d is the oldest, want %d", k, want.k)
		}
		tab.DropOldest()
	}
}

func TestPointersStayValid(t *testing.T) {
	tab := New[int, int](100_000)
	p := tab.Put(-1)
	for i := range 50_000 {
		tab.Put(i)
	}
	*p = 42
	if *tab.Peek(-1) != 42 {
		t.Error("the value has moved")
	}
}

func TestKnownKeysDoNotAllocate(t *testing.T) {
	type pair struct {
		id   uint32
		name string
	}
	tab := New[pair, [4]int](1000)
	for i := range 1000 {
		tab.Put(pair{uint32(i), "x"})
	}
	i := uint32(0)
	if n := testing.AllocsPerRun(1000, func() {
		tab.Get(pair{i % 1000, "x"})
		tab.Put(pair{i + 1000, "x"}) // an old one goes, its cell is used again
		i++
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGet(b *testing.B) {
	tab := New[[32]byte, int64](200_000)
	for i := range 200_000 {
		tab.Put([32]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	b.ResetTimer()
	for i := range b.N {
		i = i * 7919 % 200_000
		tab.Get([32]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
}

func TestAllIsInTheOrderOfUse(t *testing.T) {
	tab := New[int, int](4)
	for i := range 6 {
		*tab.Put(i) = 10 * i
	}
	tab.Get(2)
	var keys []int
	for k, v := range tab.All() {
		if *v != 10*k {
			t.Errorf("%d has %d", k, *v)
		}
		if keys = append(keys, k); k == 5 {
			break
		}
	}
	if want := []int{3, 4, 5}; !slices.Equal(keys, want) {
		t.Errorf("%v, want %v", keys, want)
	}
}
