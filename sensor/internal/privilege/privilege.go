// SPDX-License-Identifier: Apache-2.0

// Package privilege gives up what the sensor needs only to open the mirror port. After Drop the process has no capability, cannot gain
// one, opens no file but those that it was told to keep, and makes no system call but those of Calls.
package privilege

import "strings"

// Config says what a run still needs after the mirror port is open.
type Config struct {
	// Maps: maps of the kernel are read and written with bpf(2), as in mode xdp and by a socket filter.
	Maps bool
	// Return: the interface may go and come back, and is to be listened to again, by the sockets and the program that are open.
	Return bool
	// Read names files that are read again later, as on SIGHUP. The folder of each stays readable, because a new version of a file is
	// usually put in the place of the old one, and then is another file to the kernel. Of a file in / only itself stays.
	Read []string
	// Write names folders in which files are made, written, renamed and removed.
	Write []string
	// Names: names of hosts are looked up.
	Names bool
}

// The protections, as the metric names them.
const (
	Capabilities = "capabilities"
	NoNewPrivs   = "no_new_privs"
	Landlock     = "landlock"
	Seccomp      = "seccomp"
)

// Names lists them.
func Names() []string { return []string{Capabilities, NoNewPrivs, Landlock, Seccomp} }

// Protection is one thing that holds the process back.
type Protection struct {
	Name   string
	Active bool   // whole: there is nothing in Lack
	Detail string // what is in force
	Lack   string // what this kernel cannot do, and so is not in force
}

// Status is what Drop has reached, in the order of the constants.
type Status []Protection

// Lacks says in one line what the kernel cannot do, "" if it can do everything.
func (s Status) Lacks() string {
	var all []string
	for _, p := range s {
		if p.Lack != "" {
			all = append(all, p.Name+": "+p.Lack)
		}
	}
	return strings.Join(all, "; ")
}

// String says in one line what is in force.
func (s Status) String() string {
	var all []string
	for _, p := range s {
		if p.Detail != "" {
			all = append(all, p.Name+": "+p.Detail)
		}
	}
	return strings.Join(all, "; ")
}
