// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "amqp",
	Signs: "`AMQP` and a version; a method frame of a session that had begun",
	Ports: "5672 for a frame",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 600, Looks: LooksAMQP},
	},
})

// LooksAMQP recognizes the protocol header of AMQP 0-9-1, 0-10 and 1.0 (section 4.2.2; OASIS AMQP 1.0 part 2, section 2.2). In a session that
// was captured from its middle, and on the port of AMQP, it recognizes a method frame by the byte at its end (AMQP 0-9-1 section 2.3.5).
func LooksAMQP(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const method, headLen, shortest, longest, end = 1, 7, 4, 4096, 0xce
	switch {
	case head[0] != method:
		return match.AnyPrefix(head, "AMQP\x00", "AMQP\x01", "AMQP\x02", "AMQP\x03")
	case !ports.Has(5672):
		return match.No
	case len(head) < headLen:
		return match.Maybe
	}
	size := binary.BigEndian.Uint32(head[3:])
	switch {
	case size < shortest || size > longest:
		return match.No
	case len(head) <= headLen+int(size):
		return match.Maybe
	}
	return match.If(head[headLen+int(size)] == end)
}
