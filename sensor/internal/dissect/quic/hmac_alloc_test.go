// SPDX-License-Identifier: Apache-2.0

//go:build !race

package quic

import (
	"testing"
)

// With the race detector the digest of the standard library allocates.
func TestHMACDoesNotAllocate(t *testing.T) {
	own, k, key := newHMAC(), new(hmacKey), []byte("key")
	if n := testing.AllocsPerRun(100, func() { own.key(k, key); own.of(k, key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
