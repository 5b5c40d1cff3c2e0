// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

// Package cacheline moves lines of the cache, 64 bytes each, before or instead of where the processor would do so by itself. Nothing that
// can be seen depends on it.
package cacheline

import "unsafe"

// Size is the length of a line in bytes.
const Size = 64

// Prefetch asks for n lines from p on without waiting for them: where a loop knows early what it will need late, the waits overlap with its
// work. p may be any address: a wrong one is ignored by the processor.
//
//go:noescape
func Prefetch(p unsafe.Pointer, n int)
