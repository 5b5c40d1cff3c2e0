// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "radius",
	Signs: "code, attributes to the end of the packet",
	Ports: "1812, 1813, 1645, 1646, 3799",
	Login: protocol.LoginUnread,
	Datagrams: []protocol.Datagram{
		{Order: 350, Ports: []uint16{1812, 1813, 1645, 1646, 3799}, Looks: LooksRADIUS},
	},
})

// LooksRADIUS recognizes a packet whose attributes fill it (RFC 2865 section 3).
func LooksRADIUS(b []byte, _ dissect.Ports) bool {
	const headLen = 20
	if len(b) < headLen || int(binary.BigEndian.Uint16(b[2:])) > len(b) {
		return false
	}
	if b[0] == 0 || b[0] > 13 && b[0] < 40 || b[0] > 45 {
		return false
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	at := headLen
	for at+2 <= size && b[at+1] >= 2 {
		at += int(b[at+1])
	}
	return size >= headLen && at == size
}
