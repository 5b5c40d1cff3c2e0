// SPDX-License-Identifier: Apache-2.0

package quic

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
)

// Short recognizes QUIC in a session that was captured from its middle. Packets with a short header begin with the
// connection id that the receiver chose, which is the same in each (RFC 9000 section 17.3.1). Short keeps the first
// eight bytes of it from the last datagram of each direction; servers choose no shorter ones. It works only on the port
// of QUIC.
type Short struct{ id [2]uint64 }

// Repeats reports whether a datagram repeats the connection id of the one before in its direction.
func (q *Short) Repeats(dir int, data []byte, ports dissect.Ports) bool {
	const form, fixed, least = 0x80, 0x40, 21 // RFC 9000 section 10.3: no packet is shorter
	if !ports.Has(443) || len(data) < least || data[0]&(form|fixed) != fixed {
		return false
	}
	id := binary.BigEndian.Uint64(data[1:])
	last := q.id[dir]
	q.id[dir] = id
	return id != 0 && id == last
}
