// SPDX-License-Identifier: Apache-2.0

package prefetch

import (
	"testing"
	"unsafe"
)

func TestNoAddressDoesHarm(t *testing.T) {
	mem := make([]byte, 256)
	Lines(unsafe.Pointer(&mem[0]), 4)
	Lines(unsafe.Pointer(&mem[255]), 1000) // far beyond its end
	Lines(nil, 1)
	Lines(unsafe.Add(unsafe.Pointer(nil), -4096), 2)
	for i, b := range mem {
		if b != 0 {
			t.Errorf("byte %d is %d", i, b)
		}
	}
}
