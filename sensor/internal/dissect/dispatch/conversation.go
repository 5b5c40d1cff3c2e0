// SPDX-License-Identifier: Apache-2.0

// Package dispatch recognizes the protocol of a session and hands its bytes to the dissector of that protocol. The tables in tcp.go and
// udp.go list all of them.
package dispatch

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dns"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/quic"
)

// maxUnknownDatagrams is after how many datagrams of no known protocol a session is left alone.
const maxUnknownDatagrams = 4

// Conversation tells which protocol a session speaks and hands its bytes to the dissector of that protocol. The zero
// value serves; Reset makes it serve the next session.
type Conversation struct {
	ports     dissect.Ports
	stream    dissect.Stream
	datagrams dissect.Datagrams
	flip      int  // 1 if the bytes show that the responder acts as the client
	named     bool // the protocol is known
	unknown   uint8
	short     quic.Short
	dns       dns.Datagrams
	pool      *Pool
}

// Reset prepares c for a new session. Its dissector comes from pool, and the next Reset returns it there; pool may be nil.
func (c *Conversation) Reset(ports dissect.Ports, pool *Pool) {
	c.pool.put(c.stream)
	*c = Conversation{ports: ports, pool: pool}
}

// Stream reads a TCP stream. head is the contiguous stream of direction dir (FromClient or FromServer) from its start
// so far, final says that no more will come. It returns how many bytes from the start are wanted before the next call
// for this direction: 0 for no more interest, else more than len(head). Nothing of head is kept.
func (c *Conversation) Stream(dir int, head []byte, final bool, sink dissect.Sink) (want int) {
	dir &= 1
	if len(head) == 0 && c.stream == nil {
		return again(head, final)
	}
	if !c.named {
		switch c.identifyStream(dir, head, final, sink) {
		case match.Maybe:
			return again(head, final)
		case match.No:
			return 0
		}
	}
	if c.stream == nil {
		return 0
	}
	want = c.stream.Feed(dir^c.flip, head, final, sink)
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
func (c *Conversation) identifyStream(dir int, head []byte, final bool, sink dissect.Sink) match.Verdict {
	for flip := range 2 {
		id, v := matchStream(streamProtocols[dir^flip], head, final, c.ports)
		if v == match.No {
			continue
		}
		if v == match.Yes {
			c.adoptStream(id, flip, sink)
		}
		return v
	}
	return match.No
}

func (c *Conversation) adoptStream(id *streamProtocol, flip int, sink dissect.Sink) {
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
func (c *Conversation) Datagram(dir int, data []byte, sink dissect.Sink) (more bool) {
	dir &= 1
	if !c.named && !c.identifyDatagram(dir, data, sink) {
		c.unknown++
		return c.unknown < maxUnknownDatagrams
	}
	return c.datagrams != nil && c.datagrams.Datagram(dir, data, sink)
}

func (c *Conversation) identifyDatagram(dir int, data []byte, sink dissect.Sink) bool {
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
	if c.named = c.short.Repeats(dir, data, c.ports); c.named {
		sink(&dissect.AppID{Name: "quic"})
	}
	return c.named
}
