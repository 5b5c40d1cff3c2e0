// SPDX-License-Identifier: Apache-2.0

package database

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// LooksOracle recognizes CONNECT, the first packet of a client of Oracle's transparent network substrate: length, no checksums, type 1, a
// version and the oldest one that the client accepts, and where in the packet the connect data would be.
func LooksOracle(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, connect, oldest, newest = 28, 1, 0x100, 0x1ff
	switch {
	case len(head) > 5 && string(head[2:6]) != "\x00\x00\x01\x00":
		return match.No
	case len(head) < headLen:
		return match.Maybe
	}
	size, version, least := binary.BigEndian.Uint16(head), binary.BigEndian.Uint16(head[8:]), binary.BigEndian.Uint16(head[10:])
	data := binary.BigEndian.Uint16(head[26:])
	return match.If(head[6] == 0 && head[7] == 0 && version <= newest && least >= oldest && least <= version && data >= headLen && data <= size)
}
