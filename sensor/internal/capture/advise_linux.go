// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"os"

	"golang.org/x/sys/unix"
)

// adviseSequential doubles the kernel's read-ahead. A file system that does not know the advice loses nothing.
func adviseSequential(f *os.File) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), 0, 0, unix.FADV_SEQUENTIAL) })
}
