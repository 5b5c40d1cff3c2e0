// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"os"

	"golang.org/x/sys/unix"
)

// adviseSequential doubles the read-ahead of the kernel. Errors are ignored: it is only an optimization.
func adviseSequential(f *os.File) {
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), 0, 0, unix.FADV_SEQUENTIAL) })
}
