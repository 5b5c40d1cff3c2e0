// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "capwap",
	Signs: "plain header, discovery request or response and its length",
	Ports: "5246",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 380, Ports: []uint16{5246}, Looks: LooksCAPWAP},
	},
})

var _ = Protocols.Add(protocol.Protocol{
	Name:  "hsrp",
	Signs: "version 1: operation, one state, times; version 2: group state",
	Ports: "1985",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 370, Ports: []uint16{1985}, Looks: LooksHSRP},
	},
})

// LooksHSRP recognizes a hello of Cisco's router redundancy protocol: version 1 (RFC 2281 section 5.1) has a fixed part of 20 bytes, version 2
// begins with a group state TLV. The table binds it to the port.
func LooksHSRP(b []byte, _ dissect.Ports) bool {
	const fixed, maxOp, groupState, groupStateLen = 20, 3, 1, 40
	switch {
	case len(b) < fixed:
		return false
	case b[0] == 0: // version; then operation, state (a bit), hello and hold time
		state := b[2]
		return b[1] <= maxOp && state <= 16 && state&(state-1) == 0 && b[7] == 0 && (b[1] == maxOp || b[3] <= b[4])
	}
	return b[0] == groupState && b[1] == groupStateLen && len(b) >= 2+groupStateLen && b[2] == 2 && b[3] <= maxOp
}

// LooksCAPWAP recognizes a discovery request of an access point, or the response of its controller (RFC 5415 sections 4.3, 4.5 and 5): a plain
// header, then type and length of the message. The table binds it to the port.
func LooksCAPWAP(b []byte, _ dissect.Ports) bool {
	const request, response, minHeader, control = 1, 2, 8, 8
	if len(b) < minHeader+control || b[0] != 0 {
		return false
	}
	header := int(b[1]>>3) * 4
	if header < minHeader || header+control > len(b) {
		return false
	}
	m := b[header:]
	kind, size := binary.BigEndian.Uint32(m), int(binary.BigEndian.Uint16(m[5:]))
	return (kind == request || kind == response) && size >= 3 && size-3 <= len(m)-control
}
