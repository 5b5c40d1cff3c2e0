// SPDX-License-Identifier: Apache-2.0

package dissect

// Direction of a stream within a session.
const (
	FromClient = 0
	FromServer = 1
)

// Ports are the ports of a session, as a hint only: protocols are told by their bytes.
type Ports struct{ Client, Server uint16 }

// Sink takes the facts of one session, in the order in which they were read.
type Sink func(Fact)

// Stream reads one TCP session. head is the whole stream of a direction from its start; what the dissector has
// already read it remembers as offsets, never as slices. The result is how many bytes it wants to see before it is
// called again for this direction, 0 for no more.
type Stream interface {
	Feed(dir int, head []byte, final bool, sink Sink) (want int)
}

// Datagrams reads the datagrams of one session, and says whether it wants more of them.
type Datagrams interface {
	Datagram(dir int, data []byte, sink Sink) (more bool)
}

// HeadLimit is how much of a stream is ever seen. A dissector that is in the middle of something longer has no more
// interest, so that the bytes need not be kept until then.
const HeadLimit = 16 << 10

// AtEnd is wanted by a dissector that has something to give when a direction ends and not before: it is more than any
// head will hold.
const AtEnd = 1 << 30

// Has reports whether either end uses one of ports.
func (p Ports) Has(ports ...uint16) bool {
	for _, x := range ports {
		if p.Server == x || p.Client == x {
			return true
		}
	}
	return false
}
