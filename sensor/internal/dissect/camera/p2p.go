// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
)

// LooksTuya recognizes the broadcasts of Tuya devices by the magic numbers at both ends.
func LooksTuya(b []byte, _ dissect.Ports) bool {
	return len(b) >= 20 && string(b[:4]) == "\x00\x00\x55\xaa" && string(b[len(b)-4:]) == "\x00\x00\xaa\x55"
}

// LooksPPPP recognizes the peer-to-peer protocol of cheap cameras: f1, a type, the length of the rest.
func LooksPPPP(b []byte, _ dissect.Ports) bool {
	return len(b) >= 4 && b[0] == 0xf1 && int(binary.BigEndian.Uint16(b[2:])) == len(b)-4
}
