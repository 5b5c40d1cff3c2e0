// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"
	"fmt"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "s7comm",
	Signs: "ISO transport on TCP, then `32`",
	Reads: "identity: order number, firmware, name, serial number",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 510, Looks: LooksS7comm, New: NewS7comm},
	},
})

// s7 reads the lists with which a controller says what it is.
type s7 struct {
	pos, count int
}

// NewS7comm returns a dissector of the protocol of S7 controllers.
func NewS7comm() dissect.Stream { return new(s7) }

// maxS7 bounds the messages of the server that are read.
const maxS7 = 64

// Feed reads the answers of the server, each behind TPKT (RFC 1006); see dissect.Stream.
func (s *s7) Feed(dir int, head []byte, _ bool, sink dissect.Sink) int {
	const tpkt, isoHead, data = 4, 7, 0xf0
	if dir == dissect.FromClient {
		return 0
	}
	for s.count < maxS7 {
		if len(head) < s.pos+tpkt {
			return s.pos + tpkt
		}
		size := int(binary.BigEndian.Uint16(head[s.pos+2:]))
		end := s.pos + size
		switch {
		case head[s.pos] != 3 || size < isoHead || end > dissect.HeadLimit:
			return 0
		case len(head) < end:
			return end
		}
		if b := head[s.pos:end]; b[5] == data {
			if info := s7Identity(b[isoHead:]); info != nil {
				sink(info)
			}
		}
		s.pos = end
		s.count++
	}
	return 0
}

// s7Identity reads an answer with a list of the system status (SIMATIC System Software for S7-300/400, System and Standard Functions, chapter
// 33): 0011 has the order numbers, 001c the names and the serial number.
func s7Identity(b []byte) *dissect.DeviceInfo {
	const head, userData, listHead = 10, 7, 12
	const modules, components = 0x0011, 0x001c
	if len(b) < head || b[0] != 0x32 || b[1] != userData {
		return nil
	}
	parameters := int(binary.BigEndian.Uint16(b[6:]))
	if len(b) < head+parameters+listHead || parameters < 7 || string(b[head+4:head+7]) != "\x12\x84\x01" {
		return nil
	}
	list := b[head+parameters:]
	size, count := int(binary.BigEndian.Uint16(list[8:])), int(binary.BigEndian.Uint16(list[10:]))
	d := &dissect.DeviceInfo{Protocol: "s7comm", Vendor: "Siemens"}
	found := false
	for rest := list[listHead:]; count > 0 && size >= 28 && len(rest) >= size; count-- {
		record, index := rest[2:size], binary.BigEndian.Uint16(rest)
		switch binary.BigEndian.Uint16(list[4:]) {
		case modules:
			found = s7Module(d, index, record) || found
		case components:
			found = s7Component(d, index, record) || found
		}
		rest = rest[size:]
	}
	if !found {
		return nil
	}
	return d
}

// s7Module reads the order number (1), or the version of the firmware (7), which follows the order number and a type.
func s7Module(d *dissect.DeviceInfo, index uint16, b []byte) bool {
	const module, firmware, order, version = 1, 7, 20, 22
	switch {
	case index == module:
		d.Model = announce.Text(b[:order])
		return d.Model != ""
	case index == firmware && b[version] == 'V':
		d.Firmware = fmt.Sprintf("%d.%d.%d", b[version+1], b[version+2], b[version+3])
		return true
	}
	return false
}

// s7Component reads the name of the station (1), the serial number (5) or the type of the module (7).
func s7Component(d *dissect.DeviceInfo, index uint16, b []byte) bool {
	const station, serial, kind, textLen = 1, 5, 7, 24
	switch text := announce.Text(b[:textLen]); index {
	case station:
		d.Name = text
	case serial:
		d.Serial = text
	case kind:
		d.Class = text
	default:
		return false
	}
	return true
}
