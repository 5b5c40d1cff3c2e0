// SPDX-License-Identifier: Apache-2.0

package cacheline

import "unsafe"

// Store copies one line that another processor will read next, bypassing the caches: an ordinary store would first wait until that processor
// releases the line. Both addresses must be aligned to a line and hold no pointers. Call Flush before signaling the other processor.
//
//go:noescape
func Store(to, from unsafe.Pointer)

// Flush orders the stores before all later writes.
func Flush()
