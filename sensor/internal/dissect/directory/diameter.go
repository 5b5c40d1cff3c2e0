// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "diameter",
	Signs: "version, flags, length, first attribute; command of a neighbor",
	Ports: "3868 for other commands",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 710, Looks: LooksDiameter},
	},
})

// LooksDiameter recognizes the header and the first attribute of a message (RFC 6733 sections 3 and 4.1): on any port those with which peers
// connect, on the port of Diameter all.
func LooksDiameter(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const headLen, version, reserved, application = 20, 1, 0x0f, 8
	switch {
	case head[0] != version, len(head) > 4 && head[4]&reserved != 0:
		return match.No
	case len(head) < headLen+8:
		return match.Maybe
	}
	size, command := binary.BigEndian.Uint32(head)&0xffffff, binary.BigEndian.Uint32(head[4:])&0xffffff
	attribute := binary.BigEndian.Uint32(head[headLen+4:]) & 0xffffff
	if size%4 != 0 || size < headLen+8 || size > 1<<16 || attribute < 8 || attribute > size-headLen {
		return match.No
	}
	return match.If(ports.Has(3868) || binary.BigEndian.Uint32(head[application:]) == 0 && diameterPeer(command))
}

// diameterPeer reports whether a command is between neighbors: capabilities, watchdog, disconnection.
func diameterPeer(command uint32) bool { return command == 257 || command == 280 || command == 282 }
