// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "iec104",
	Signs: "`68`, length, control: start, stop and test; data and acknowledgements",
	Ports: "2404 for data",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 540, Looks: LooksIEC104},
	},
})

// LooksIEC104 recognizes the control information of IEC 60870-5-104 (section 5): 68, a length, four bytes of control. The start and test of
// a transfer are constant; the other formats need the port.
func LooksIEC104(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const start, short, longest, headLen, asdu = 0x68, 4, 253, 6, 10
	switch {
	case head[0] != start, len(head) > 1 && (head[1] < short || head[1] > longest):
		return match.No
	case len(head) <= headLen && (len(head) < headLen || head[1] > short):
		return match.Maybe
	}
	switch size, control := head[1], head[2]; {
	case control&3 == 3:
		return match.If(size == short && iec104Control(control) && string(head[3:headLen]) == "\x00\x00\x00")
	case !ports.Has(2404) || head[4]&1 != 0:
		return match.No
	case control&3 == 1:
		return match.If(size == short && control == 1 && head[3] == 0)
	case size < asdu:
		return match.No
	}
	return match.If(head[headLen] > 0 && head[headLen] < 128) // the type of the data unit
}

// iec104Control reports whether c activates or confirms one function: start, stop or test.
func iec104Control(c byte) bool {
	switch c {
	case 0x07, 0x0b, 0x13, 0x23, 0x43, 0x83:
		return true
	}
	return false
}
