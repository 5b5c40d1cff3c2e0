// SPDX-License-Identifier: Apache-2.0

package tls

import (
	"stillwatch/sensor/internal/dissect"
)

// Upgrade reads TLS in a session that began with another protocol and was upgraded, as by STARTTLS. From holds, for
// each direction, the offset at which TLS begins. The session keeps the name of the protocol that it began with. The
// zero value is ready to use.
type Upgrade struct {
	From   [2]int
	stream Stream
}

// Feed reads one direction of the session. head is the whole stream of that direction.
func (u *Upgrade) Feed(dir int, head []byte, final bool, sink dissect.Sink) (want int) {
	return FeedFrom(&u.stream, u.From[dir], dir, head, final, sink)
}

// FeedFrom feeds s with the stream from an offset on. It returns the number of bytes needed, counted from the start of
// the stream.
func FeedFrom(s dissect.Stream, from, dir int, head []byte, final bool, sink dissect.Sink) (want int) {
	if len(head) <= from {
		if final {
			return 0
		}
		return from + 1
	}
	want = s.Feed(dir, head[from:], final, sink)
	if want <= 0 {
		return 0
	}
	return from + want
}
