// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
)

// TestTable checks that goroutines which use far more inputs than fit into the table always get the result for their own.
func TestTable(t *testing.T) {
	var table Table[[]byte]
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 40 * Sets {
				key := binary.AppendUvarint(nil, uint64(i*(g+1)%(6*Sets)))
				got := table.Of(key, func() *[]byte { v := slices.Clone(key); return &v })
				if !slices.Equal(*got, key) {
					t.Errorf("%x got the result of %x", key, *got)
				}
				clear(key) // the caller may use it again
			}
		})
	}
	all.Wait()
}

func TestTableReturnsCachedResult(t *testing.T) {
	var table Table[int]
	for _, tc := range []struct {
		name  string
		key   []byte
		calls int
	}{{"short", []byte("a"), 1}, {"empty", nil, 1}, {"longest", make([]byte, MaxKey), 1}, {"too long", make([]byte, MaxKey+1), 3}} {
		calls := 0
		for range 3 {
			if v := table.Of(tc.key, func() *int { calls++; n := len(tc.key); return &n }); *v != len(tc.key) {
				t.Errorf("%s: %d", tc.name, *v)
			}
		}
		if calls != tc.calls {
			t.Errorf("%s: asked %d times, want %d", tc.name, calls, tc.calls)
		}
	}
	key := []byte("known")
	one := new(int)
	table.Of(key, func() *int { return one })
	if n := testing.AllocsPerRun(100, func() { table.Of(key, func() *int { return nil }) }); n != 0 {
		t.Errorf("%v allocations where the result is known", n)
	}
}
