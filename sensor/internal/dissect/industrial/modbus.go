// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "modbus",
	Signs: "protocol 0, length, function",
	Ports: "502",
	Reads: "identity: vendor, model, firmware",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 490, Looks: LooksModbus, New: NewModbus},
	},
})

// modbus reads the identity with which a device answers.
type modbus struct{ pos, count [2]int }

// NewModbus returns a dissector of Modbus over TCP.
func NewModbus() dissect.Stream { return new(modbus) }

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

// Bounds of the header of Modbus over TCP (Modbus Messaging on TCP/IP 1.0b, section 3.1.3), and how many answers are read.
const (
	modbusHead = 6 // number, protocol, length of the rest
	maxModbus  = 64
)

// Feed reads the answers of the server; see dissect.Stream.
func (m *modbus) Feed(dir int, head []byte, _ bool, sink dissect.Sink) int {
	if dir == dissect.FromClient {
		return 0
	}
	for m.count[dir] < maxModbus {
		at := m.pos[dir]
		if len(head) < at+modbusHead {
			return at + modbusHead
		}
		end := at + modbusHead + int(binary.BigEndian.Uint16(head[at+4:]))
		switch {
		case head[at+2] != 0 || head[at+3] != 0 || end > dissect.HeadLimit:
			return 0
		case len(head) < end:
			return end
		}
		if info := modbusIdentity(head[at+modbusHead : end]); info != nil {
			sink(info)
			return 0
		}
		m.pos[dir] = end
		m.count[dir]++
	}
	return 0
}

// modbusIdentity reads an answer to Read Device Identification (Modbus Application Protocol 1.1b3, section 6.21): unit, function, type, code,
// conformity, more, next object, number, then objects of a number, a length and a text.
func modbusIdentity(b []byte) *dissect.DeviceInfo {
	const objects, function, identification = 8, 43, 14
	const vendor, product, revision, name, model = 0, 1, 2, 4, 5
	if len(b) < objects || b[1] != function || b[2] != identification {
		return nil
	}
	d := &dissect.DeviceInfo{Protocol: "modbus"}
	for rest := b[objects:]; len(rest) >= 2 && len(rest) >= 2+int(rest[1]); rest = rest[2+int(rest[1]):] {
		switch text := announce.Text(rest[2 : 2+int(rest[1])]); rest[0] {
		case vendor:
			d.Vendor = text
		case product:
			d.Model = text
		case revision:
			d.Firmware = text
		case name:
			d.Name = text
		case model:
			d.Model = text
		}
	}
	if d.Vendor == "" && d.Model == "" {
		return nil
	}
	return d
}
