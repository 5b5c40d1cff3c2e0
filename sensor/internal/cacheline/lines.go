// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

// Package cacheline prefetches cache lines, 64 bytes each, and stores them past the caches. It affects speed only.
package cacheline

import "unsafe"

// Size is the length of a line in bytes.
const Size = 64

// Prefetch requests n lines from p on without waiting for them, so that memory latency overlaps with other work. p may be any address: the
// processor ignores an invalid one.
//
//go:noescape
func Prefetch(p unsafe.Pointer, n int)
