// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
)

// LooksBACnet recognizes BACnet/IP (ASHRAE 135 annex J): 81, a function, the length of the datagram. Where the function carries a message
// of the network layer, its version and the reserved bits of its control byte are checked; the other functions need the port.
func LooksBACnet(b []byte, ports dissect.Ports) bool {
	const forwarded, distribute, unicast, broadcast, version, reserved = 0x04, 0x09, 0x0a, 0x0b, 1, 0x50
	if len(b) < 4 || b[0] != 0x81 || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return false
	}
	at := 4
	switch b[1] {
	case forwarded:
		at = 10 // after the address of the first sender
	case distribute, unicast, broadcast:
	default:
		return b[1] <= 0x0c && ports.Has(47808)
	}
	return len(b) >= at+2 && b[at] == version && b[at+1]&reserved == 0
}
