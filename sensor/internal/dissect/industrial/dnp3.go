// SPDX-License-Identifier: Apache-2.0

// Package industrial recognizes the protocols of controllers, substations and buildings, and reads what a controller says of itself.
package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "dnp3",
	Signs: "`05 64`, length, checksum of the header",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 500, Looks: LooksDNP3},
	},
	Datagrams: []protocol.Datagram{
		{Order: 470, First: "\x05\x05", Looks: LooksDNP3Datagram},
	},
})

const (
	dnp3Start   = "\x05\x64"
	dnp3HeadLen = 10
)

// LooksDNP3 recognizes the header of a link frame by its start bytes and its checksum (IEEE 1815 section 9.2).
func LooksDNP3(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	if v := match.Prefix(head, dnp3Start); v != match.Yes {
		return v
	}
	if len(head) < dnp3HeadLen {
		return match.Maybe
	}
	return match.If(dnp3Header(head))
}

// LooksDNP3Datagram recognizes DNP3 over UDP.
func LooksDNP3Datagram(b []byte, _ dissect.Ports) bool {
	return len(b) >= dnp3HeadLen && string(b[:2]) == dnp3Start && dnp3Header(b)
}

// dnp3Header checks length and checksum of a header: start bytes, length, control, both addresses, checksum.
func dnp3Header(b []byte) bool {
	const shortest, checked = 5, 8
	return b[2] >= shortest && dnp3CRC(b[:checked]) == binary.LittleEndian.Uint16(b[checked:])
}

// dnp3CRC is the checksum of 16 bits with the reversed polynomial a6bc.
func dnp3CRC(b []byte) uint16 {
	const polynomial = 0xa6bc
	var crc uint16
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low != 0 {
				crc ^= polynomial
			}
		}
	}
	return ^crc
}
