// SPDX-License-Identifier: Apache-2.0

// Package privilege drops the privileges that the sensor needs only to open the interface. After Drop the process has no capabilities, cannot
// gain any, can open only the listed files, and can make only the system calls in Calls and Conditional.
package privilege

import "strings"

// Config is what a run still needs after the interface is open.
type Config struct {
	// Maps: BPF maps are read and written with bpf(2), as in mode xdp and with a socket filter.
	Maps bool
	// Return: the interface may disappear and return, and is captured again with the sockets and the program that are open.
	Return bool
	// Read lists files that are read again later, as on SIGHUP. The folder of each stays readable, because a new version usually replaces
	// the old file, and then is another file to the kernel. For a file in / only the file stays readable.
	Read []string
	// Write lists folders in which files are created, written, renamed and removed.
	Write []string
	// Names: host names are resolved.
	Names bool
}

// The protections, as the metric names them.
const (
	Capabilities = "capabilities"
	NoNewPrivs   = "no_new_privs"
	Landlock     = "landlock"
	Seccomp      = "seccomp"
)

// Names returns the names of the protections.
func Names() []string { return []string{Capabilities, NoNewPrivs, Landlock, Seccomp} }

// Protection is one restriction of the process.
type Protection struct {
	Name   string
	Active bool   // complete: Lack is ""
	Detail string // what is active
	Lack   string // what is not active because this kernel lacks it
}

// Status is the result of Drop, in the order of the constants.
type Status []Protection

// Lacks returns one line with what the kernel lacks, "" if nothing.
func (s Status) Lacks() string {
	var all []string
	for _, p := range s {
		if p.Lack != "" {
			all = append(all, p.Name+": "+p.Lack)
		}
	}
	return strings.Join(all, "; ")
}

// String returns one line with what is active.
func (s Status) String() string {
	var all []string
	for _, p := range s {
		if p.Detail != "" {
			all = append(all, p.Name+": "+p.Detail)
		}
	}
	return strings.Join(all, "; ")
}
