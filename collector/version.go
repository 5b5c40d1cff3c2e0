// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are set by the linker (see the Makefile).
var version, commit string

type versionCmd struct{}

// Run prints which program this is.
func (versionCmd) Run() error {
	v, c := build()
	if c != "" {
		c = ", commit " + c
	}
	_, err := fmt.Printf("%s %s%s, %s, %s/%s\n", program, v, c, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// build gives version and commit: those of the linker, else what the Go tool has written into the program.
func build() (v, c string) {
	v, c = version, commit
	info, ok := debug.ReadBuildInfo()
	if v == "" {
		v = "unversioned"
		if ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
			v = info.Main.Version
		}
	}
	if c == "" && ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				c = s.Value
			}
		}
	}
	return v, c[:min(len(c), 12)]
}
