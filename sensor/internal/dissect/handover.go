// SPDX-License-Identifier: Apache-2.0

package dissect

// handover gives the rest of both streams to TLS, from the offsets at which a proxy or a STARTTLS command turned the
// session over. The session keeps the name of the protocol that it began with.
type handover struct {
	from [2]int
	tls  tlsStream
}

func (h *handover) feed(dir int, head []byte, final bool, sink Sink) int {
	from := h.from[dir]
	if len(head) <= from {
		if final {
			return 0
		}
		return from + 1
	}
	want := h.tls.feed(dir, head[from:], final, sink)
	if want <= 0 {
		return 0
	}
	return from + want
}
