// SPDX-License-Identifier: Apache-2.0

package cacheline

import (
	"testing"
	"unsafe"
)

func TestPrefetchAcceptsAnyAddress(t *testing.T) {
	mem := make([]byte, 256)
	Prefetch(unsafe.Pointer(&mem[0]), 4)
	Prefetch(unsafe.Pointer(&mem[255]), 1000) // far beyond its end
	Prefetch(nil, 1)
	Prefetch(unsafe.Add(unsafe.Pointer(nil), -4096), 2)
	for i, b := range mem {
		if b != 0 {
			t.Errorf("byte %d is %d", i, b)
		}
	}
}

func TestStoreWritesOneLine(t *testing.T) {
	type line [Size]byte
	to, from := make([]line, 3), new(line)
	for i := range from {
		from[i] = byte(i + 1)
	}
	Store(unsafe.Pointer(&to[1]), unsafe.Pointer(from))
	Flush()
	if to[0] != (line{}) || to[1] != *from || to[2] != (line{}) {
		t.Errorf("stored %v", to)
	}
}

func TestStoredLinesReachAnotherProcessor(t *testing.T) {
	type line [Size]byte
	full, empty := make(chan []line, 2), make(chan []line, 2)
	empty <- make([]line, 64)
	empty <- make([]line, 64)
	const rounds = 2000
	go func() {
		for r := range rounds {
			b := <-empty
			var x line
			for i := range b {
				x[0], x[Size-1] = byte(r), byte(i)
				Store(unsafe.Pointer(&b[i]), unsafe.Pointer(&x))
			}
			Flush()
			full <- b
		}
	}()
	for r := range rounds {
		b := <-full
		for i := range b {
			if b[i][0] != byte(r) || b[i][Size-1] != byte(i) {
				t.Fatalf("round %d: line %d is %v", r, i, b[i])
			}
		}
		empty <- b
	}
}
