// SPDX-License-Identifier: Apache-2.0

// Command stillwatch-sensor listens at a mirror port or reads captures, and raises an alert when a device that should be silent opens a
// session.
package main

import (
	"os"

	"stillwatch/internal/buildinfo"
	"stillwatch/sensor/internal/cli"
)

// version and commit are set by the linker (see the Makefile).
var version, commit string

func main() { os.Exit(cli.Main(os.Args[1:], buildinfo.New(version, commit))) }
