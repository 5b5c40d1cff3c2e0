// SPDX-License-Identifier: Apache-2.0

//go:build unix

package capture

import "golang.org/x/sys/unix"

func mkfifo(path string) error { return unix.Mkfifo(path, 0o600) }
