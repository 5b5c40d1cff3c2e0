// SPDX-License-Identifier: Apache-2.0

package tunnel

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ike",
	Signs: "version and length of the datagram",
	Ports: "500, 4500",
	Login: protocol.LoginUnread,
	Datagrams: []protocol.Datagram{
		{Order: 340, Ports: []uint16{500, 4500}, Looks: LooksIKE},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "wireguard",
	Signs: "type and size of a handshake message",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 540, First: "\x01\x02", Looks: LooksWireGuard},
	},
})

// LooksWireGuard recognizes the messages of a handshake by their fixed sizes (WireGuard whitepaper, section 5.4).
func LooksWireGuard(b []byte, _ dissect.Ports) bool {
	switch {
	case len(b) == 148:
		return string(b[:4]) == "\x01\x00\x00\x00"
	case len(b) == 92:
		return string(b[:4]) == "\x02\x00\x00\x00"
	}
	return false
}

// LooksIKE recognizes the header of IKE 1 and 2 (RFC 7296 section 3.1), with the marker of port 4500 before it.
func LooksIKE(b []byte, _ dissect.Ports) bool {
	if len(b) > 4 && string(b[:4]) == "\x00\x00\x00\x00" {
		b = b[4:]
	}
	return len(b) >= 28 && (b[17] == 0x10 || b[17] == 0x20) && int(binary.BigEndian.Uint32(b[24:])) == len(b)
}
