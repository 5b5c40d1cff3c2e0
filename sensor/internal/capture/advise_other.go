// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package capture

import "os"

func adviseSequential(*os.File) {}
