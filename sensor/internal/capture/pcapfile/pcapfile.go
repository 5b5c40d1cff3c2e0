// SPDX-License-Identifier: Apache-2.0

// Package pcapfile parses the records of the capture formats pcap, pcapng and snoop. It reads bytes in memory: opening, decompressing and buffering
// files is the task of package capture.
package pcapfile

import "stillwatch/sensor/internal/packet"

// MaxFrame bounds one frame in bytes. No link has larger ones; a larger length is damage.
const MaxFrame = 16 << 20

// Frame is one captured frame: data[Off:Off+Len] of its buffer.
type Frame struct {
	Time    int64  // nanoseconds since the Unix epoch
	Off     uint32 // offset in the buffer
	Len     uint32 // captured length, bytes
	OrigLen uint32 // length on the wire, bytes
	Link    packet.LinkType
}

// Parser parses the records of one capture, from its first byte.
type Parser interface {
	// Parse appends the frames of data to frames, at most limit, with offsets into data. used is the number of bytes consumed. need is
	// the number of bytes from there that the next record needs, more than data has. last is the time for frames without one. An error
	// is damage at data[used].
	Parse(data []byte, frames []Frame, last int64, limit int) (out []Frame, used, need int, err error)
}

// New returns a parser for the capture that starts with head, of which four bytes are enough; nil if it has another format.
func New(head []byte) Parser {
	if p := newPcap(head); p != nil {
		return p
	}
	if p := newPcapng(head); p != nil {
		return p
	}
	if p := newSnoop(head); p != nil {
		return p
	}
	return nil
}
