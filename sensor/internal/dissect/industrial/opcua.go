// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "opcua",
	Signs: "`HELF`, `ACKF`, `ERRF`, `RHEF` or `OPNF`, length",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 550, Looks: LooksOPCUA},
	},
})

// LooksOPCUA recognizes the first message of either side (OPC 10000-6 section 7.1.2): three letters, F, and its length.
func LooksOPCUA(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, shortest, longest = 8, 16, 1 << 16
	if v := match.AnyPrefix(head, "HELF", "ACKF", "ERRF", "RHEF", "OPNF"); v != match.Yes {
		return v
	}
	if len(head) < headLen {
		return match.Maybe
	}
	size := binary.LittleEndian.Uint32(head[4:])
	return match.If(size >= shortest && size <= longest)
}
