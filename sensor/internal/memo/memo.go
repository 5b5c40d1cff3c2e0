// SPDX-License-Identifier: Apache-2.0

// Package memo caches the results of a pure function: the same device sends the same hello and shows the same
// certificate again and again.
package memo

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"
)

// Sets is the number of sets of a table, of two results each. MaxKey is the length of the longest input whose result is
// cached.
const (
	Sets   = 256
	MaxKey = 4096
)

// Table caches results by their whole input: inputs with the same hash evict each other and are never confused. The
// zero value is ready to use, by any number of goroutines, without a lock.
type Table[V any] struct {
	sets [Sets][2]atomic.Pointer[entry[V]] // the newer one first
}

type entry[V any] struct {
	key []byte
	val *V
}

// The seed differs between runs, so that nobody can craft inputs that always evict a certain other one.
var seed = maphash.MakeSeed()

// Of returns f's result for key, from the cache if it is there. f must depend on key alone, and its result must not be
// changed, because it is shared. Of copies key if it caches the result.
func (t *Table[V]) Of(key []byte, f func() *V) *V {
	if len(key) > MaxKey {
		return f()
	}
	set := &t.sets[maphash.Bytes(seed, key)%Sets]
	for i := range set {
		if e := set[i].Load(); e != nil && bytes.Equal(e.key, key) {
			return e.val
		}
	}
	v := f()
	set[1].Store(set[0].Load())
	set[0].Store(&entry[V]{key: bytes.Clone(key), val: v})
	return v
}
