// SPDX-License-Identifier: Apache-2.0

// Package dissect defines what dissectors report and how they are called. Facts are plain values that never change once they were
// reported; no fact contains a password, a token or a cookie. The dissectors are in the packages below, one for each family of protocols,
// and package dispatch chooses among them.
package dissect

// The two directions of a stream within a session.
const (
	FromClient = 0
	FromServer = 1
)

// Ports are the ports of a session. They are only a hint: protocols are recognized by their bytes.
type Ports struct{ Client, Server uint16 }

// Sink receives the facts of one session in the order in which they were read.
type Sink func(Fact)

// Stream reads one TCP session. head is the whole stream of one direction from its start, as far as it has arrived. A
// dissector keeps offsets into it, never slices. Feed returns how many bytes from the start it needs before the next
// call for this direction, and 0 if it needs no more.
type Stream interface {
	Feed(dir int, head []byte, final bool, sink Sink) (want int)
}

// Datagrams reads the UDP datagrams of one session. Datagram reports whether it needs more of them.
type Datagrams interface {
	Datagram(dir int, data []byte, sink Sink) (more bool)
}

// HeadLimit is how much of a stream the sensor keeps. A dissector that would have to read beyond it should stop, so
// that the bytes before are not kept for nothing.
const HeadLimit = 16 << 10

// AtEnd is returned by Feed if the dissector has something to report when the direction ends and not before. It is more
// than any head holds.
const AtEnd = 1 << 30

// Has reports whether either endpoint uses one of ports.
func (p Ports) Has(ports ...uint16) bool {
	for _, x := range ports {
		if p.Server == x || p.Client == x {
			return true
		}
	}
	return false
}
