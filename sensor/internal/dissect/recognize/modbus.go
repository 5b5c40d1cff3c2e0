// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// LooksModbus recognizes a request on the port of Modbus: protocol 0, a length that fits, a known function. Function 90 is that of
// Schneider's controllers.
func LooksModbus(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if !ports.Has(502) {
		return match.No
	}
	if len(head) < 8 {
		return match.Maybe
	}
	const longest, functions, schneider = 254, 43, 90
	size, function := int(binary.BigEndian.Uint16(head[4:])), head[7]&0x7f
	return match.If(head[2] == 0 && head[3] == 0 && size >= 2 && size <= longest && (function > 0 && function <= functions || function == schneider))
}
