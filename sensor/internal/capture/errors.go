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
	Wrap string // the compression of the bytes, "zip" in an archive, else empty
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
	if e.Wrap != "" && isArchive(e.Head) {
		return fmt.Sprintf("%s: not a capture: a zip archive%s is not opened", e.File, in)
	}
	return fmt.Sprintf("%s: not a capture in the format pcap, pcapng or snoop: starts with 0x%x%s; compressed ones and zip archives are read as well", e.File, e.Head, in)
}

// String returns the file, the packet that could not be read, the offset and the reason in one line.
func (d Damage) String() string {
	return fmt.Sprintf("%s: broken at packet %d, byte %d: %s", d.File, d.Packet+1, d.Offset, d.Reason)
}

// errArchive is the error for a zip archive that should be a capture.
var errArchive = errors.New("is a zip archive")

// errArchiveFromPipe is the error for a zip archive that cannot be read at any place, which its list of files needs.
var errArchiveFromPipe = errors.New("a zip archive is read only from a file: unpack it, as with funzip")

// errStdinTwice is the error for a second "-": standard input can be read only once.
var errStdinTwice = errors.New("standard input is given twice")

// AbsentError reports that an interface does not exist or is down.
type AbsentError struct{ text string }

// Error implements error.
func (e *AbsentError) Error() string { return e.text }
