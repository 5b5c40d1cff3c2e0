// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

// Package prefetch asks the processor to bring memory into its cache, without waiting for it: where a loop knows early what it will need
// late, the waits overlap with its work. Nothing that can be seen depends on it.
package prefetch

import "unsafe"

// Lines asks for n lines of 64 bytes from p on. p may be any address: a wrong one is ignored by the processor.
//
//go:noescape
func Lines(p unsafe.Pointer, n int)
