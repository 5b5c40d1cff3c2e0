// SPDX-License-Identifier: Apache-2.0

package packet

import "testing"

// Random insertions and removals are compared with a map and a list: each entry must be found, and the order of age kept.
func TestFragTable(t *testing.T) {
	const limit = 32
	table := newFragTable(limit)
	where := map[fragKey]int32{}
	var age []fragKey
	state := uint32(7)
	for step := range 20000 {
		state = state*1664525 + 1013904223
		k := fragKey{id: state >> 24, proto: protoUDP}
		k.src[15] = byte(state >> 22 & 3)
		s := table.slot(&k)
		i, known := where[k]
		if found := table.slots[s] >= 0; found != known || known && table.slots[s] != i {
			t.Fatalf("step %d: found %v, known %v", step, found, known)
		}
		switch {
		case known:
			table.remove(i)
			delete(where, k)
			age = without(age, k)
		case table.count < table.max:
			where[k] = table.insert(s, k, int64(step))
			age = append(age, k)
		default:
			oldest := table.pool[table.oldest].key
			table.remove(table.oldest)
			delete(where, oldest)
			if oldest != age[0] {
				t.Fatalf("step %d: the oldest is not the oldest", step)
			}
			age = age[1:]
		}
	}
	i := table.oldest
	for n, k := range age {
		if i < 0 || table.pool[i].key != k {
			t.Fatalf("entry %d of the list by age is wrong", n)
		}
		i = table.pool[i].newer
	}
	if i >= 0 || table.count != len(age) || len(table.pool) > limit {
		t.Errorf("%d entries, %d in the list, pool of %d", table.count, len(age), len(table.pool))
	}
}

func without(keys []fragKey, k fragKey) (out []fragKey) {
	for _, x := range keys {
		if x != k {
			out = append(out, x)
		}
	}
	return out
}

func TestBlockUnits(t *testing.T) {
	for _, c := range []struct{ from, to, want int }{
		{0, 8, 1}, {0, 9, 2}, {0, blockSize, 256}, {504, 520, 2}, {512, 1024, 64}, {8, 2047, 255}, {2040, 2048, 1},
	} {
		var a, b block
		data := pattern(c.to - c.from)
		if n := a.put(c.from, data); n != c.want {
			t.Errorf("put %v: %d units", c, n)
		}
		if n := b.fill(c.from, data); n != c.want || a.have != b.have || a.data != b.data {
			t.Errorf("fill %v: %d units, or other bytes than put", c, n)
		}
		if a.covered(c.from, c.to) != c.want || a.covered(0, blockSize) != c.want || b.fill(c.from, data) != 0 {
			t.Errorf("covered %v: %d of %d", c, a.covered(c.from, c.to), a.covered(0, blockSize))
		}
	}
}
