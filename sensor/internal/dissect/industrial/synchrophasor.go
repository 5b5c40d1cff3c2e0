// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "synchrophasor",
	Signs: "`aa`, type, length, checksum",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 460, Looks: LooksSynchrophasor},
	},
	Datagrams: []protocol.Datagram{
		{Order: 460, First: "\xaa\xaa", Looks: LooksSynchrophasorDatagram},
	},
})

// Frames of phasor measurement units (IEEE C37.118.2, section 6.2): aa, type and version, length, …, CRC-CCITT.
const (
	phasorHead    = 16
	phasorLongest = 4096
)

// LooksSynchrophasor recognizes a frame of a phasor measurement unit by its length and its checksum.
func LooksSynchrophasor(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	switch {
	case head[0] != 0xaa, len(head) > 1 && !phasorKind(head[1]):
		return match.No
	case len(head) < 4:
		return match.Maybe
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	switch {
	case size < phasorHead || size > phasorLongest:
		return match.No
	case len(head) < size:
		return match.Maybe
	}
	return match.If(phasorSum(head[:size-2]) == binary.BigEndian.Uint16(head[size-2:]))
}

// LooksSynchrophasorDatagram recognizes frames over UDP.
func LooksSynchrophasorDatagram(b []byte, ports dissect.Ports) bool {
	return LooksSynchrophasor(b, true, ports) == match.Yes && int(binary.BigEndian.Uint16(b[2:])) == len(b)
}

// phasorKind reports whether a byte is a type of frame (0 to 5) and a version (1 or 2).
func phasorKind(c byte) bool { return c>>4 <= 5 && (c&15 == 1 || c&15 == 2) }

// phasorSum is CRC-CCITT: polynomial 0x1021, from ffff.
func phasorSum(b []byte) uint16 {
	sum := uint16(0xffff)
	for _, c := range b {
		sum ^= uint16(c) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}
