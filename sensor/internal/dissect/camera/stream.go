// SPDX-License-Identifier: Apache-2.0

// Package camera reads the protocols of camera vendors: logins, what a client asks a device to do, and what the device says of itself, also
// in discovery.
package camera

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/protocol"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

// maxMessages bounds the messages of a direction that are read.
const maxMessages = 96

// stream reads a protocol whose messages begin with a header of fixed length.
type stream struct {
	head     int // length of the header
	size     func(head []byte) uint32
	message  func(d *dialogue, dir int, head, body []byte, sink dissect.Sink)
	dialogue dialogue
	pos      [2]int
	count    [2]int
	stopped  [2]bool
}

// newStream returns a stream whose headers have the length of the message in four bytes at offset size.
func newStream(protocol string, head, size int, message func(d *dialogue, dir int, head, body []byte, sink dissect.Sink)) *stream {
	return &stream{
		head:     head,
		size:     func(b []byte) uint32 { return binary.LittleEndian.Uint32(b[size:]) },
		message:  message,
		dialogue: dialogue{login: logins.Attempt{Protocol: protocol}},
	}
}

// Feed reads one direction; see dissect.Stream.
func (s *stream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	for !s.stopped[dir] {
		pos := s.pos[dir]
		if len(head) < pos+s.head {
			break
		}
		b := head[pos : pos+s.head]
		end := pos + s.head + int(min(s.size(b), dissect.HeadLimit))
		switch {
		case end > dissect.HeadLimit || s.count[dir] == maxMessages:
			s.stopped[dir] = true
			continue
		case len(head) < end && !final:
			return end
		}
		s.pos[dir] = end
		s.count[dir]++
		s.message(&s.dialogue, dir, b, head[pos+s.head:min(end, len(head))], sink)
	}
	if dir == dissect.FromServer && (final || s.stopped[dir]) {
		s.dialogue.end(sink)
	}
	if s.stopped[dir] {
		return 0
	}
	return s.pos[dir] + s.head
}
