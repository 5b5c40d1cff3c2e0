// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
)

// FormatError reports that a file could be opened but is not a capture. OpenFiles returns it before any packet is read. A capture that is
// broken further on has Damage instead.
type FormatError struct {
	File string
	Head []byte // the first bytes, at most 4, after decompression; empty for an empty file
	Wrap string // "gzip" or "zstd" if the bytes were compressed, else empty
}

// Error implements error.
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

// String returns the file, the packet that could not be read, the offset and the reason in one line.
func (d Damage) String() string {
	return fmt.Sprintf("%s: broken at packet %d, byte %d: %s", d.File, d.Packet+1, d.Offset, d.Reason)
}

// errDirectory is the error for a directory.
var errDirectory = errors.New("is a directory, not a capture")

// errStdinTwice is the error for a second "-": standard input can be read only once.
var errStdinTwice = errors.New("standard input is given twice")

// AbsentError reports that an interface does not exist or is down.
type AbsentError struct{ text string }

// Error implements error.
func (e *AbsentError) Error() string { return e.text }
