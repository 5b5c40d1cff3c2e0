// SPDX-License-Identifier: Apache-2.0

package session

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newRegion gives memory for sessions outside of the heap, where no collection counts or walks it; it goes back when m does. Sessions
// hold no pointers, so nothing that they refer to can be lost. They are met at random: with huge pages that costs fewer walks of the
// page table. What is not used of a region takes no memory.
func newRegion(m *Slab) []Session {
	const n = regionBytes / int(unsafe.Sizeof(Session{})) / chunkSize * chunkSize
	b, err := unix.Mmap(-1, 0, regionBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]Session, n) // the heap will do; its limits speak for themselves
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // without huge pages it is only slower
	runtime.AddCleanup(m, func(b []byte) { _ = unix.Munmap(b) }, b)
	return unsafe.Slice((*Session)(unsafe.Pointer(unsafe.SliceData(b))), n)
}
