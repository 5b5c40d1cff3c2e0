// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
)

// LooksModbus recognizes a request on the port of Modbus: protocol 0, a length that fits, a known function.
func LooksModbus(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if !ports.Has(502) {
		return match.No
	}
	if len(head) < 8 {
		return match.Maybe
	}
	size := int(binary.BigEndian.Uint16(head[4:]))
	return match.If(head[2] == 0 && head[3] == 0 && size >= 2 && size <= 254 && head[7]&0x7f > 0 && head[7]&0x7f <= 43)
}
