// SPDX-License-Identifier: Apache-2.0

package session

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newRegion returns memory for sessions outside the Go heap, where the garbage collector does not count or scan it. It is released
// with m. Sessions have no pointers, so nothing is lost. Access is random: huge pages save page-table walks. Unused parts take no memory.
func newRegion(m *Slab) []Session {
	const n = regionBytes / int(unsafe.Sizeof(Session{})) / chunkSize * chunkSize
	b, err := unix.Mmap(-1, 0, regionBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]Session, n) // use the heap instead
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // without huge pages it is only slower
	runtime.AddCleanup(m, func(b []byte) { _ = unix.Munmap(b) }, b)
	return unsafe.Slice((*Session)(unsafe.Pointer(unsafe.SliceData(b))), n)
}
