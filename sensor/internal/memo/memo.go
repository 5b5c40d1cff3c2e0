// SPDX-License-Identifier: Apache-2.0

// Package memo remembers what a pure function gave for what it was asked last: the same device says the same hello, and shows the same
// certificate, again and again.
package memo

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"
)

// Sets is how many sets a table has, of two results each; MaxKey is the longest input in bytes whose result is kept.
const (
	Sets   = 256
	MaxKey = 4096
)

// Table holds results by the whole input: inputs with one hash displace each other and are never taken for each other. The zero value
// serves, for any number of goroutines, without a lock.
type Table[V any] struct {
	sets [Sets][2]atomic.Pointer[entry[V]] // the newer one first
}

type entry[V any] struct {
	key []byte
	val *V
}

// The seed differs from run to run, so that nobody can send what always displaces something else.
var seed = maphash.MakeSeed()

// Of gives what f gives for key, from the table if it is there. f must depend on key alone, and what it gives must not be changed: it is
// given to others too. key is copied if it is kept.
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
