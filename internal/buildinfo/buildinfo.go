// SPDX-License-Identifier: Apache-2.0

// Package buildinfo names the version of a program and the commit that it was built from.
package buildinfo

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// commitLength is how many characters of a commit are shown.
const commitLength = 12

// Info is the version of the program and the commit that it was built from; Commit is empty if it is unknown.
type Info struct {
	Version, Commit string
}

// New returns the version and commit that the linker has set. What it has not set comes from the build information of the Go tool.
func New(version, commit string) Info {
	i := Info{version, commit}
	build, ok := debug.ReadBuildInfo()
	if i.Version == "" {
		i.Version = "unversioned"
		if ok && build.Main.Version != "" && build.Main.Version != "(devel)" {
			i.Version = build.Main.Version
		}
	}
	if i.Commit == "" && ok {
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" {
				i.Commit = s.Value
			}
		}
	}
	i.Commit = i.Commit[:min(len(i.Commit), commitLength)]
	return i
}

// String returns version, commit, Go version and platform.
func (i Info) String() string {
	commit := ""
	if i.Commit != "" {
		commit = ", commit " + i.Commit
	}
	return fmt.Sprintf("%s%s, %s, %s/%s", i.Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
