// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
)

// FormatError says that a file could be opened but is not a capture at all. It is told by OpenFiles, before any
// packet is read; a capture that breaks later is Damage instead.
type FormatError struct {
	File string
	Head []byte // the first bytes, at most 4, after decompression; empty for an empty file
	Wrap string // "gzip" or "zstd" if the bytes were compressed, else empty
}

// Error gives one line.
func (e *FormatError) Error() string {
	in := ""
	if e.Wrap != "" {
		in = " in " + e.Wrap
	}
	if len(e.Head) == 0 {
		return fmt.Sprintf("%s: not a capture: empty%s", e.File, in)
	}
	return fmt.Sprintf("%s: not a pcap or pcapng capture: starts with 0x%x%s; gzip and zstd are read as well",
		e.File, e.Head, in)
}

// String gives one line for an operator: file, the packet that could not be read, offset and reason.
func (d Damage) String() string {
	return fmt.Sprintf("%s: broken at packet %d, byte %d: %s", d.File, d.Packet+1, d.Offset, d.Reason)
}

// errDirectory is the reason why a folder is not opened.
var errDirectory = errors.New("is a directory, not a capture")

// errStdinTwice refuses a second "-": the bytes can be read only once.
var errStdinTwice = errors.New("standard input is given twice")

// AbsentError says that an interface is not there, or is down.
type AbsentError struct{ text string }

// Error gives one line.
func (e *AbsentError) Error() string { return e.text }
