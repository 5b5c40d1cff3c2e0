// SPDX-License-Identifier: Apache-2.0

// Command stillwatch-collector reads the records of all sensors from Kafka, stores them, and serves the console and the API.
package main

import (
	"os"

	"stillwatch/collector/internal/cli"
	"stillwatch/internal/buildinfo"
)

// version and commit are set by the linker (see the Makefile).
var version, commit string

func main() { os.Exit(cli.Main(os.Args[1:], buildinfo.New(version, commit))) }
