// SPDX-License-Identifier: Apache-2.0

package database

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// maxVersion is the longest version of a server that is kept, in bytes.
const maxVersion = 128

// reportVersion reports what a server says of its version.
func reportVersion(protocol string, text []byte, sink dissect.Sink) {
	if version := parse.CleanText(text, maxVersion); version != "" {
		sink(&dissect.Banner{Protocol: protocol, Text: version})
	}
}

// versionStream reads the messages of a server until one of them has told its version.
type versionStream struct {
	// size returns the length of the message at the start of b, 0 if its header is not complete, -1 if it is not of the protocol.
	size func(b []byte) int
	// read reads a message, which may be cut. It returns false if no further ones are needed.
	read  func(b []byte, sink dissect.Sink) (more bool)
	pos   int
	count int
	done  bool
}

// maxVersionMessages bounds the messages that are read, and maxVersionBytes what is read of one.
const (
	maxVersionMessages = 16
	maxVersionBytes    = 4 << 10
)

// Feed reads what the server sends; see dissect.Stream.
func (v *versionStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if dir == dissect.FromClient {
		return 0
	}
	for !v.done {
		b := head[min(v.pos, len(head)):]
		n := v.size(b)
		need := min(n, maxVersionBytes)
		switch {
		case n < 0 || v.count == maxVersionMessages || v.pos+need > dissect.HeadLimit:
			v.done = true
		case (n == 0 || len(b) < need) && !final:
			return max(len(head), v.pos+need-1) + 1
		case n == 0:
			return 0
		default:
			v.count++
			v.pos += n
			v.done = !v.read(b[:min(need, len(b))], sink)
		}
	}
	return 0
}
