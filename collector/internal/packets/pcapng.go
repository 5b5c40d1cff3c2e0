// SPDX-License-Identifier: Apache-2.0

// Package packets reads the packets of alerts, which sensors send as files in the format pcapng, and describes them for a table. The files come from
// the network, so every length is checked.
package packets

import (
	"encoding/binary"
	"errors"

	"stillwatch/schemas"
)

// File is the packets of an alert.
type File struct {
	Comment string // about the whole, several lines
	Packets []Packet
}

// Packet is one packet of a file.
type Packet struct {
	Time    schemas.Time
	Link    uint16 // type of the link layer, as registered by tcpdump.org
	Length  uint32 // on the wire
	Data    []byte // what the file has of it
	Comment string
}

// Blocks and options of pcapng (IETF draft-ietf-opsawg-pcapng, sections 4.1 to 4.3 and 3.5).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6

	optionComment    = 1
	optionResolution = 9
	nanoseconds      = 9 // value of optionResolution: 10⁻⁹ s
	maxLinks         = 16
	maxPackets       = 256
)

// ErrFormat means that a file is no pcapng file as sensors write it.
var ErrFormat = errors.New("no pcapng file of a sensor")

// Read reads a file. It accepts what sensors write: one section in little-endian order, interfaces with nanoseconds, and packets.
func Read(b []byte) (*File, error) {
	f, r := &File{}, reader{}
	for first := true; len(b) > 0; first = false {
		kind, body, rest, ok := block(b)
		if !ok || first != (kind == blockSection) {
			return nil, ErrFormat
		}
		switch kind {
		case blockSection:
			if len(body) < 16 || binary.LittleEndian.Uint32(body) != 0x1a2b3c4d {
				return nil, ErrFormat
			}
			f.Comment, ok = option(body[16:], optionComment)
		case blockInterface:
			ok = r.link(body)
		case blockPacket:
			ok = r.packet(body, f)
		default:
			ok = false
		}
		if !ok {
			return nil, ErrFormat
		}
		b = rest
	}
	if len(f.Packets) == 0 {
		return nil, ErrFormat
	}
	return f, nil
}

// block splits off the first block: type, length, body, length again.
func block(b []byte) (kind uint32, body, rest []byte, ok bool) {
	if len(b) < 12 {
		return 0, nil, nil, false
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n < 12 || n%4 != 0 || uint64(n) > uint64(len(b)) || binary.LittleEndian.Uint32(b[n-4:]) != n {
		return 0, nil, nil, false
	}
	return binary.LittleEndian.Uint32(b), b[8 : n-4], b[n:], true
}

// option returns the value of the first option with a code, "" if there is none; false if the options are damaged.
func option(b []byte, code uint16) (value string, ok bool) {
	for len(b) >= 4 {
		is, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		padded := 4 + (n+3)&^3
		switch {
		case padded > len(b):
			return "", false
		case is == code:
			return string(b[4 : 4+n]), true
		}
		b = b[padded:]
	}
	return "", len(b) == 0
}

// reader holds the link types of the interfaces.
type reader struct{ links []uint16 }

func (r *reader) link(body []byte) bool {
	if len(body) < 8 || len(r.links) == maxLinks {
		return false
	}
	r.links = append(r.links, binary.LittleEndian.Uint16(body))
	resolution, ok := option(body[8:], optionResolution)
	return ok && resolution == string(rune(nanoseconds))
}

func (r *reader) packet(body []byte, f *File) bool {
	if len(body) < 20 || len(f.Packets) == maxPackets {
		return false
	}
	iface, held := binary.LittleEndian.Uint32(body), binary.LittleEndian.Uint32(body[12:])
	if uint64(iface) >= uint64(len(r.links)) || uint64(held) > uint64(len(body)-20) {
		return false
	}
	end := 20 + (int(held)+3)&^3
	if end > len(body) {
		return false
	}
	p := Packet{Link: r.links[iface], Length: binary.LittleEndian.Uint32(body[16:]), Data: body[20 : 20+held],
		Time: schemas.Time(uint64(binary.LittleEndian.Uint32(body[4:]))<<32 | uint64(binary.LittleEndian.Uint32(body[8:])))}
	var ok bool
	p.Comment, ok = option(body[end:], optionComment)
	f.Packets = append(f.Packets, p)
	return ok
}
