// SPDX-License-Identifier: Apache-2.0

package casereport

import (
	"path/filepath"
	"slices"
)

// Result is what a comparison of captures with a report found.
type Result struct {
	Name  string // in the report; of a file that is not in the report, its own
	State State
	File  string // the file that was compared; "" if it is missing
}

// State is what became of a capture.
type State string

// The states of a capture.
const (
	OK      State = "OK"
	Changed State = "changed"           // a file has its name, and other bytes
	Missing State = "missing"           // no file has its bytes or its name
	NoHash  State = "without a hash"    // the report has none
	Unknown State = "not in the report" // a file that is given, and no capture
)

// name returns the name of a capture, with the archive that it is in.
func (c *Capture) name() string {
	if c.Member != "" {
		return c.File.File + "/" + c.Member
	}
	return c.File.File
}

// Compare compares captures with files by size and hash. Names may differ; a file with another content and the name of a capture is that
// capture, changed.
func (s *Sealed) Compare(names []string, sums map[string]Sum) (all []Result) {
	used := make([]bool, len(names))
	find := func(fits func(name string) bool) string {
		i := slices.IndexFunc(names, fits)
		if i < 0 {
			return ""
		}
		used[i] = true
		return names[i]
	}
	captures := slices.DeleteFunc(slices.Clone(s.Captures), func(c Capture) bool { return c.SHA256 == "" && c.Packets == 0 }) // nothing was read of it
	all = make([]Result, len(captures))
	for i, c := range captures {
		all[i] = Result{Name: c.name(), State: NoHash}
		if c.SHA256 == "" {
			continue
		}
		all[i].State = Missing
		if all[i].File = find(func(n string) bool { return sums[n].Err == nil && sums[n].SHA256 == c.SHA256 && sums[n].Size == c.Size }); all[i].File != "" {
			all[i].State = OK
		}
	}
	for i, c := range captures {
		if all[i].State != Missing {
			continue
		}
		at := slices.IndexFunc(names, func(n string) bool { return filepath.Base(n) == filepath.Base(c.File.File) })
		if at >= 0 && !used[at] {
			used[at] = true
			all[i].State, all[i].File = Changed, names[at]
		}
	}
	for i, n := range names {
		if !used[i] {
			all = append(all, Result{Name: n, State: Unknown, File: n})
		}
	}
	return all
}
