// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "hartip",
	Signs: "version, type, id, length",
	Ports: "5094",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 690, Looks: LooksHARTIP},
	},
	Datagrams: []protocol.Datagram{
		{Order: 400, First: "\x01\x02", Ports: []uint16{5094}, Looks: LooksHARTIPDatagram},
	},
})

const (
	hartPort    = 5094
	hartHeadLen = 8
)

// LooksHARTIP recognizes the header on the port of HART-IP: version, type, id, status, sequence, length (FieldComm HCF_SPEC-085).
func LooksHARTIP(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	switch {
	case !ports.Has(hartPort):
		return match.No
	case len(head) < hartHeadLen:
		return match.Maybe
	}
	return match.If(hartHeader(head))
}

// LooksHARTIPDatagram is LooksHARTIP for a datagram, which the message must fill.
func LooksHARTIPDatagram(b []byte, _ dissect.Ports) bool {
	return len(b) >= hartHeadLen && hartHeader(b) && int(binary.BigEndian.Uint16(b[6:])) == len(b)
}

func hartHeader(b []byte) bool {
	const versions, kinds, nak, ids, discovery, longest = 2, 2, 15, 4, 128, 4096
	size := binary.BigEndian.Uint16(b[6:])
	return b[0] > 0 && b[0] <= versions && (b[1] <= kinds || b[1] == nak) && (b[2] <= ids || b[2] == discovery) && size >= hartHeadLen && size <= longest
}
