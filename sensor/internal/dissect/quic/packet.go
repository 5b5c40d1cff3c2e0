// SPDX-License-Identifier: Apache-2.0

package quic

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// Versions, RFC 9000 section 15 and the registry "QUIC Versions".
const (
	version1     = 0x00000001
	version2     = 0x6b3343cf // RFC 9369
	version2Old  = 0x709a50c4 // of the drafts of RFC 9369
	draft22      = 0xff000016 // the first whose long headers are as in RFC 9000
	draft23      = 0xff000017
	draft28      = 0xff00001c
	draft29      = 0xff00001d
	draft32      = 0xff000020
	draft34      = 0xff000022
	mvfst        = 0xfaceb000 // Facebook's; the number is in the last 8 bits
	mvfstMask    = 0xffffff00
	googleQ043   = 0x51303433
	googleQ046   = 0x51303436
	googleQ050   = 0x51303530
	googleT050   = 0x54303530
	googleT051   = 0x54303531
	maxConnID    = 20 // RFC 9000 section 17.2
	reservedMask = 0x0f0f0f0f
	reserved     = 0x0a0a0a0a // versions of this form force negotiation (RFC 9000 section 15)
)

// kind is the type of a long header packet.
type kind uint8

const (
	kindInitial kind = iota
	kindZeroRTT
	kindHandshake
	kindRetry
	kindNegotiation
)

// packet is a packet with a long header (RFC 9000 section 17.2). all is the packet from its first byte to its end.
// number is the offset of its packet number, if it has one.
type packet struct {
	kind       kind
	version    uint32
	dcid, scid []byte
	all        []byte
	number     int
}

// varint reads a variable-length integer (RFC 9000 section 16).
func varint(r *parse.Reader) int {
	first := r.U8()
	v := first & 0x3f
	for n := 1<<(first>>6) - 1; n > 0; n-- {
		if v > 1<<40 { // no length or offset of an Initial is that large
			r.B, r.Bad = nil, true
			return 0
		}
		v = v<<8 | r.U8()
	}
	return v
}

// parsePacket splits the first packet off a datagram. ok is false for a short header and for a malformed packet.
func parsePacket(data []byte) (p packet, rest []byte, ok bool) {
	r := parse.Reader{B: data}
	first := r.U8()
	if first&0x80 == 0 {
		return p, nil, false
	}
	p.version = uint32(r.U16())<<16 | uint32(r.U16())
	p.dcid, p.scid = r.Vec8(), r.Vec8()
	if r.Bad || len(p.dcid) > maxConnID || len(p.scid) > maxConnID {
		return p, nil, false
	}
	if p.kind = kindOf(byte(first), p.version); p.kind == kindRetry || p.kind == kindNegotiation {
		p.all = data
		return p, nil, true
	}
	if p.kind == kindInitial {
		r.Bytes(varint(&r))
	}
	length := varint(&r)
	p.number = len(data) - len(r.B)
	if r.Bytes(length); r.Bad {
		return p, nil, false
	}
	p.all = data[:p.number+length]
	return p, r.B, true
}

// kindOf reads the type bits, which version 2 has renumbered (RFC 9369 section 3.2).
func kindOf(first byte, version uint32) kind {
	if version == 0 {
		return kindNegotiation
	}
	kind := kind(first >> 4 & 3)
	if version == version2 || version == version2Old {
		kind = (kind + 3) & 3
	}
	return kind
}

// isKnown reports whether the long headers of the version are as in RFC 9000, by its value or by its form.
func isKnown(version uint32) bool {
	switch version {
	case version1, version2, version2Old, googleQ050, googleT050, googleT051:
		return true
	}
	return version >= draft22 && version <= draft34 || version&reservedMask == reserved || version&mvfstMask == mvfst
}

// Looks reports whether data opens a QUIC connection or answers the opening: a long header of a known version, version
// negotiation, or a packet of Google QUIC that names its version.
func Looks(data []byte, _ dissect.Ports) bool {
	if len(data) > 0 && data[0]&0x80 == 0 || len(data) > 4 && googleVersion(data[1:5]) {
		return looksGoogle(data)
	}
	p, _, ok := parsePacket(data)
	if !ok {
		return false
	}
	if p.kind == kindNegotiation {
		return looksNegotiation(data, len(p.dcid)+len(p.scid))
	}
	// A server may answer with connection ids of any length, but two empty ones are not QUIC.
	return isKnown(p.version) && len(p.dcid)+len(p.scid) > 0 || opens(data, &p)
}

// opens reports whether a datagram of an unknown version has the form and size of a client's first one (RFC 9000
// sections 7.2 and 14.1) and is protected with the keys of some known version. No other datagram is, even by chance.
func opens(data []byte, p *packet) bool {
	const fixed, smallest, shortestID = 0xc0, 1200, 8
	if data[0]&fixed != fixed || len(data) < smallest || p.kind != kindInitial || len(p.dcid) < shortestID || isKnown(p.version) {
		return false
	}
	room := rooms.Get().(*room)
	defer rooms.Put(room)
	for _, version := range keysLike(p.version) {
		secrets := room.secrets(version, p.dcid)
		if keys := room.keys(&secrets, dissect.FromClient); keys.open(p, room) != nil {
			return true
		}
	}
	return false
}

// looksNegotiation checks the list of versions (RFC 9000 section 17.2.1).
func looksNegotiation(data []byte, ids int) bool {
	const fixed = 7 // first byte, version, two lengths
	list := parse.Reader{B: data[fixed+ids:]}
	if ids == 0 || len(list.B) == 0 || len(list.B)%4 != 0 {
		return false
	}
	for len(list.B) > 0 {
		if isKnown(uint32(list.U16())<<16 | uint32(list.U16())) {
			return true
		}
	}
	return false
}
