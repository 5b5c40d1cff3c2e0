// SPDX-License-Identifier: Apache-2.0

package database

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// LooksMongoDB recognizes a request by its header: length, id, no id of an answered request, an operation that clients
// send.
func LooksMongoDB(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, query, compressed, msg = 16, 2004, 2012, 2013
	if len(head) < headLen {
		// The length is below 16 MiB, so its last byte is zero.
		if len(head) > 3 && head[3] != 0 {
			return match.No
		}
		return match.Maybe
	}
	size, op := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[12:])
	known := op == query || op == compressed || op == msg
	return match.If(known && size > headLen && size < 1<<24 && binary.LittleEndian.Uint32(head[8:]) == 0)
}
