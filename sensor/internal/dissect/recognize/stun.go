// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

const stunCookie = "\x21\x12\xa4\x42"

// LooksSTUN recognizes the magic cookie and a length that fits (RFC 8489 section 5).
func LooksSTUN(b []byte, _ dissect.Ports) bool {
	return len(b) >= 20 && b[0] < 0x40 && string(b[4:8]) == stunCookie &&
		int(binary.BigEndian.Uint16(b[2:])) == len(b)-20 && len(b)%4 == 0
}

// LooksSTUNStream recognizes STUN and TURN over TCP by the magic cookie (RFC 8489 section 5).
func LooksSTUNStream(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	if head[0] > 3 {
		return match.No
	}
	if len(head) < 8 {
		return match.Maybe
	}
	return match.Prefix(head[4:], stunCookie)
}
