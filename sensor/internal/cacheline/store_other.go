// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package cacheline

import "unsafe"

// Store copies one line, without pointers, to where another processor will read it next. Flush must follow before that one is told.
func Store(to, from unsafe.Pointer) { *(*[Size]byte)(to) = *(*[Size]byte)(from) }

// Flush does nothing here.
func Flush() {}
