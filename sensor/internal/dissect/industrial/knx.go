// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "knx",
	Signs: "`06 10`, service, length",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 560, Looks: LooksKNX},
	},
	Datagrams: []protocol.Datagram{
		{Order: 490, First: "\x06\x06", Looks: LooksKNXDatagram},
	},
})

const (
	knxStart   = "\x06\x10" // length of the header, version 1.0
	knxHeadLen = 6
)

// LooksKNX recognizes the header of KNXnet/IP (EN ISO 22510): its length and version, a service, the length of the message.
func LooksKNX(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	if v := match.Prefix(head, knxStart); v != match.Yes {
		return v
	}
	if len(head) < knxHeadLen {
		return match.Maybe
	}
	size := binary.BigEndian.Uint16(head[4:])
	return match.If(knxService(head) && size >= knxHeadLen && size <= 1024)
}

// LooksKNXDatagram is LooksKNX for a datagram, which the message must fill.
func LooksKNXDatagram(b []byte, _ dissect.Ports) bool {
	return len(b) >= knxHeadLen && string(b[:2]) == knxStart && knxService(b) && int(binary.BigEndian.Uint16(b[4:])) == len(b)
}

// knxService reports whether the service is of a known family: core, management, tunneling, routing, remote logging and configuration, object
// server, security.
func knxService(b []byte) bool { return b[2] >= 2 && b[2] <= 9 && b[3] <= 0x5f }
