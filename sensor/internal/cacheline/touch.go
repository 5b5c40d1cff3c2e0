// SPDX-License-Identifier: Apache-2.0

package cacheline

import "unsafe"

// Touch writes to each page of new, zeroed memory that will be filled at random places. A page that is read before it is written costs two
// page faults, and the second one interrupts the other processors.
func Touch[T any](s []T) {
	const page = 4096
	var zero T
	for i, step := 0, max(page/int(max(unsafe.Sizeof(zero), 1)), 1); i < len(s); i += step {
		s[i] = zero
	}
}
