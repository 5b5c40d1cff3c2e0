// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ptp",
	Signs: "type, version 2, length",
	Ports: "319, 320",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 390, Ports: []uint16{319, 320}, Looks: LooksPTP},
	},
})

// LooksPTP recognizes the header of the precision time protocol, version 2 (IEEE 1588 section 13.3): type, version, length. The table binds
// it to the ports.
func LooksPTP(b []byte, _ dissect.Ports) bool {
	const headLen, version, minorVersions = 34, 2, 1
	if len(b) < headLen || b[1]&15 != version || b[1]>>4 > minorVersions {
		return false
	}
	size, kind := int(binary.BigEndian.Uint16(b[2:])), b[0]&15
	return size >= headLen && size <= len(b) && (kind <= 3 || kind >= 8 && kind <= 13)
}
