// SPDX-License-Identifier: Apache-2.0

package dissect

// streamDissector reads one TCP session. head is the whole stream of a direction from its start; what the dissector has
// already read it remembers as offsets, never as slices. The result is how many bytes it wants to see before it is
// called again for this direction, 0 for no more.
type streamDissector interface {
	feed(dir int, head []byte, final bool, sink Sink) (want int)
}

// datagramDissector reads the datagrams of one session, and says whether it wants more of them.
type datagramDissector interface {
	datagram(dir int, data []byte, sink Sink) (more bool)
}

// headLimit is how much of a stream is ever seen. A dissector that is in the middle of something longer has no more
// interest, so that the bytes need not be kept until then.
const headLimit = 16 << 10

// atEnd is wanted by a dissector that has something to give when a direction ends and not before: it is more than any
// head will hold.
const atEnd = 1 << 30

// maxUnknownDatagrams is after how many datagrams of no known protocol a session is left alone.
const maxUnknownDatagrams = 4

// Conversation tells which protocol a session speaks and hands its bytes to the dissector of that protocol. The zero
// value serves; Reset makes it serve the next session.
type Conversation struct {
	ports     Ports
	stream    streamDissector
	datagrams datagramDissector
	flip      int  // 1 if the bytes show that the responder acts as the client
	named     bool // the protocol is known
	unknown   uint8
	short     quicShort
	dns       dnsDatagrams
	spares    *Spares
}

// Reset prepares c for a new session. What it needs is taken from spares, and the next Reset gives it back; nil if there are none.
func (c *Conversation) Reset(ports Ports, spares *Spares) {
	c.spares.put(c.stream)
	*c = Conversation{ports: ports, spares: spares}
}

// Stream reads a TCP stream. head is the contiguous stream of direction dir (FromClient or FromServer) from its start
// so far, final says that no more will come. It returns how many bytes from the start are wanted before the next call
// for this direction: 0 for no more interest, else more than len(head). Nothing of head is kept.
func (c *Conversation) Stream(dir int, head []byte, final bool, sink Sink) (want int) {
	dir &= 1
	if len(head) == 0 && c.stream == nil {
		return again(head, final)
	}
	if !c.named {
		switch c.identifyStream(dir, head, final, sink) {
		case maybe:
			return again(head, final)
		case no:
			return 0
		}
	}
	if c.stream == nil {
		return 0
	}
	want = c.stream.feed(dir^c.flip, head, final, sink)
	if final || want <= 0 {
		return 0
	}
	return max(want, len(head)+1)
}

// again asks for any growth of a stream that has not ended.
func again(head []byte, final bool) int {
	if final {
		return 0
	}
	return len(head) + 1
}

// identifyStream tries the protocols whose client sends such bytes, or whose server does; then the other way round,
// since the direction of a session caught in the middle is a guess.
func (c *Conversation) identifyStream(dir int, head []byte, final bool, sink Sink) verdict {
	for flip := range 2 {
		id, v := matchStream(streamIdentifiers[dir^flip], head, final, c.ports)
		if v == no {
			continue
		}
		if v == yes {
			c.adoptStream(id, flip, sink)
		}
		return v
	}
	return no
}

func (c *Conversation) adoptStream(id *streamIdentifier, flip int, sink Sink) {
	c.named, c.flip = true, flip
	if id.app.Name != "" {
		sink(&id.app)
	}
	if id.open != nil {
		c.stream = id.open(c)
	}
}

// Datagram reads the payload of one UDP datagram. It returns false if the session needs no more of them. Nothing of data
// is kept.
func (c *Conversation) Datagram(dir int, data []byte, sink Sink) (more bool) {
	dir &= 1
	if !c.named && !c.identifyDatagram(dir, data, sink) {
		c.unknown++
		return c.unknown < maxUnknownDatagrams
	}
	return c.datagrams != nil && c.datagrams.datagram(dir, data, sink)
}

func (c *Conversation) identifyDatagram(dir int, data []byte, sink Sink) bool {
	if len(data) == 0 {
		return false
	}
	for _, id := range candidates(data, c.ports) {
		if !id.fits(data, c.ports) {
			continue
		}
		c.named = true
		sink(&id.app)
		if id.open != nil {
			c.datagrams = id.open(c)
		}
		return true
	}
	if c.named = c.short.repeats(dir, data, c.ports); c.named {
		sink(&AppID{Name: "quic"})
	}
	return c.named
}
