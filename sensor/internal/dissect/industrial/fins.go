// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "fins",
	Signs: "TCP: `FINS`, length, command; UDP: header",
	Ports: "9600 (UDP)",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 570, Looks: LooksFINS},
	},
	Datagrams: []protocol.Datagram{
		{Order: 410, First: "\x80\xc1", Ports: []uint16{9600}, Looks: LooksFINSDatagram},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ge-srtp",
	Signs: "56 zeros",
	Ports: "18245",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 700, Looks: LooksGESRTP},
	},
})

// LooksFINS recognizes the header of Omron's FINS over TCP (manual of the CJ1W-ETN21, section 7-4): four letters, the length of the rest, a command.
func LooksFINS(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, shortest, longest, commands = 12, 8, 2020, 6
	if v := match.Prefix(head, "FINS"); v != match.Yes {
		return v
	}
	if len(head) < headLen {
		return match.Maybe
	}
	size := binary.BigEndian.Uint32(head[4:])
	return match.If(size >= shortest && size <= longest && binary.BigEndian.Uint32(head[8:]) <= commands)
}

// LooksFINSDatagram recognizes a frame of FINS over UDP (manual of the CJ1W-ETN21, section 7-2), whose header has few fixed bits: the table binds it to the
// port.
func LooksFINSDatagram(b []byte, _ dissect.Ports) bool {
	const headLen, fixedBits, gateway, gateways, networks, longest = 12, 0xbe, 0x80, 7, 127, 2012
	return len(b) >= headLen && len(b) <= longest && b[0]&fixedBits == gateway && b[1] == 0 && b[2] <= gateways && b[3] <= networks && b[6] <= networks
}

// LooksGESRTP recognizes the first message to a controller of GE on the port of SRTP: 56 zeros.
func LooksGESRTP(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const size = 56
	if !ports.Has(18245) {
		return match.No
	}
	for _, c := range head[:min(len(head), size)] {
		if c != 0 {
			return match.No
		}
	}
	if len(head) < size {
		return match.Maybe
	}
	return match.Yes
}
