// SPDX-License-Identifier: Apache-2.0

package session

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// slabBytes is one huge page on most machines: sessions are met at random, and with small pages each would cost a walk of the page table.
const slabBytes = 2 << 20

// newChunk gives memory for sessions outside of the heap, where no collection counts or walks it; it goes back when t does. Sessions
// hold no pointers, so nothing that they refer to can be lost.
func newChunk(t *Table) *[chunkSize]Session {
	m, err := unix.Mmap(-1, 0, slabBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return new([chunkSize]Session) // the heap will do; its limits speak for themselves
	}
	_ = unix.Madvise(m, unix.MADV_HUGEPAGE) // without huge pages it is only slower
	runtime.AddCleanup(t, func(m []byte) { _ = unix.Munmap(m) }, m)
	return (*[chunkSize]Session)(unsafe.Pointer(unsafe.SliceData(m)))
}

const _ = uint(slabBytes - unsafe.Sizeof([chunkSize]Session{})) // a chunk fits a slab
