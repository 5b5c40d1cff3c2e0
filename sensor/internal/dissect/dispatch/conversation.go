// SPDX-License-Identifier: Apache-2.0

// Package dispatch recognizes the protocol of a session and hands its bytes to the dissector of that protocol. The lists
// of the families have all of them.
package dispatch

import (
	"unsafe"

	"stillwatch/sensor/internal/cacheline"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dns"
	"stillwatch/sensor/internal/dissect/http"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/quic"
	"stillwatch/sensor/internal/dissect/recognize"
	"stillwatch/sensor/internal/dissect/tls"
	"stillwatch/sensor/internal/dissect/tunnel"
)

// maxUnknownDatagrams is the number of datagrams of no known protocol after which a session is no longer read.
const maxUnknownDatagrams = 4

// Conversation recognizes the protocol of a session and hands its bytes to the dissector of that protocol. The zero
// value is ready to use; Reset prepares it for the next session.
type Conversation struct {
	ports     dissect.Ports
	stream    dissect.Stream
	datagrams dissect.Datagrams
	flip      int  // 1 if the bytes show that the responder acts as the client
	named     bool // the protocol is known
	unknown   uint8
	short     quic.Short
	rtp       recognize.RTP
	dns       dns.Datagrams
	pool      *Pool
	echo      *tunnel.Echo // nil: no echo message was read
}

// Reset prepares c for a new session. The dissector comes from pool and goes back to it with the next Reset. pool may
// be nil.
func (c *Conversation) Reset(ports dissect.Ports, pool *Pool) {
	c.pool.put(c.stream)
	*c = Conversation{ports: ports, pool: pool}
}

// Prefetch prefetches the dissector of a TCP session.
func (c *Conversation) Prefetch() {
	switch d := c.stream.(type) {
	case *http.Stream:
		cacheline.Prefetch(unsafe.Pointer(d), int(unsafe.Sizeof(*d))/cacheline.Size+1)
	case *tls.Stream:
		cacheline.Prefetch(unsafe.Pointer(d), int(unsafe.Sizeof(*d))/cacheline.Size+1)
	}
}

// Stream reads a TCP stream. head is the contiguous stream of direction dir (FromClient or FromServer) from its start,
// as far as it has arrived; final means that no more will come. Stream returns how many bytes from the start it needs
// before the next call for this direction: 0 if it needs no more, otherwise more than len(head). It keeps no part of
// head.
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

// again asks for one more byte of a stream that has not ended.
func again(head []byte, final bool) int {
	if final {
		return 0
	}
	return len(head) + 1
}

// identifyStream tries the protocols of which a client sends such bytes, or a server does, and then the other way
// round: the direction of a session that was captured from its middle is a guess.
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

// Datagram reads the payload of one UDP datagram. It returns false if the session needs no more of them. It keeps no
// part of data.
func (c *Conversation) Datagram(dir int, data []byte, sink dissect.Sink) (more bool) {
	dir &= 1
	if !c.named && !c.identifyDatagram(dir, data, sink) {
		c.unknown++
		return c.unknown < maxUnknownDatagrams || c.rtp.Pending(dir)
	}
	return c.datagrams != nil && c.datagrams.Datagram(dir, data, sink)
}

// Echo reads one echo message of ICMP; usual means that its payload is one that ping programs send.
func (c *Conversation) Echo(dir int, id, seq uint16, payload []byte, usual bool, sink dissect.Sink) {
	if c.echo == nil {
		c.echo = new(tunnel.Echo)
	}
	c.echo.Message(dir&1, id, seq, payload, usual, sink)
}

func (c *Conversation) identifyDatagram(dir int, data []byte, sink dissect.Sink) bool {
	if len(data) == 0 {
		return false
	}
	for _, id := range candidates(data, c.ports) {
		if !id.Fits(data, c.ports) {
			continue
		}
		c.named = true
		sink(&id.app)
		if id.open != nil {
			c.datagrams = id.open(c)
		}
		return true
	}
	c.named = true
	switch {
	case c.short.Repeats(dir, data, c.ports):
		sink(&appQUIC)
	case c.rtp.Repeats(dir, data):
		sink(&appRTP)
		c.datagrams = new(recognize.Media)
	default:
		c.named = false
	}
	return c.named
}

// The protocols that are recognized by several datagrams.
var appQUIC, appRTP = dissect.AppID{Name: "quic"}, dissect.AppID{Name: "rtp"}
