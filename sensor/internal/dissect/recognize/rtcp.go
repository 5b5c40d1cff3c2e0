// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
)

// LooksRTCP recognizes a compound packet: reports and descriptions whose lengths fill the datagram (RFC 3550 section
// 6.1).
func LooksRTCP(b []byte, _ dissect.Ports) bool {
	const senderReport, application = 200, 204
	if len(b) < 8 || b[1] != senderReport && b[1] != senderReport+1 {
		return false
	}
	for len(b) >= 4 {
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if b[0]>>6 != 2 || b[1] < senderReport || b[1] > application+3 || size > len(b) {
			return false
		}
		b = b[size:]
	}
	return len(b) == 0
}
