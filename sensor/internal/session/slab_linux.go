// SPDX-License-Identifier: Apache-2.0

package session

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newChunk gives memory for sessions outside of the heap, where no collection counts or walks it; it goes back when t does. Sessions
// hold no pointers, so nothing that they refer to can be lost. They are met at random: with huge pages that costs fewer walks of the
// page table. What is not used of a chunk takes no memory.
func newChunk(t *Table) *[chunkSize]Session {
	m, err := unix.Mmap(-1, 0, int(unsafe.Sizeof([chunkSize]Session{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return new([chunkSize]Session) // the heap will do; its limits speak for themselves
	}
	_ = unix.Madvise(m, unix.MADV_HUGEPAGE) // without huge pages it is only slower
	runtime.AddCleanup(t, func(m []byte) { _ = unix.Munmap(m) }, m)
	return (*[chunkSize]Session)(unsafe.Pointer(unsafe.SliceData(m)))
}
