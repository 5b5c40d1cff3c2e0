// SPDX-License-Identifier: Apache-2.0

package cacheline

import "unsafe"

// Store copies one line past the caches, to where another processor will read it next: an ordinary store would first wait until that one
// has given up what it still holds of the line. Both addresses are those of whole lines without pointers. Flush must follow before the
// other processor is told.
//
//go:noescape
func Store(to, from unsafe.Pointer)

// Flush has what was stored be seen before anything that is written after it.
func Flush()
