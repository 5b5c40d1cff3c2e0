// SPDX-License-Identifier: Apache-2.0

package dissect

// Versions, RFC 9000 section 15 and the registry "QUIC Versions".
const (
	quicVersion1     = 0x00000001
	quicVersion2     = 0x6b3343cf // RFC 9369
	quicVersion2Old  = 0x709a50c4 // of the drafts of RFC 9369
	quicDraft22      = 0xff000016 // the first whose long headers are as in RFC 9000
	quicDraft23      = 0xff000017
	quicDraft28      = 0xff00001c
	quicDraft29      = 0xff00001d
	quicDraft32      = 0xff000020
	quicDraft34      = 0xff000022
	quicMvfst        = 0xfaceb000 // Facebook's, in the last 8 bits which
	quicMvfstMask    = 0xffffff00
	quicGoogleQ043   = 0x51303433
	quicGoogleQ046   = 0x51303436
	quicGoogleQ050   = 0x51303530
	quicGoogleT050   = 0x54303530
	quicGoogleT051   = 0x54303531
	quicMaxConnID    = 20 // RFC 9000 section 17.2
	quicReservedMask = 0x0f0f0f0f
	quicReserved     = 0x0a0a0a0a // of this form are versions that force negotiation (RFC 9000 section 15)
)

// quicKind is the type of a long header packet.
type quicKind uint8

const (
	quicInitial quicKind = iota
	quicZeroRTT
	quicHandshake
	quicRetry
	quicNegotiation
)

// quicPacket is a packet with a long header (RFC 9000 section 17.2). All is the packet from its first byte to its end, and
// number the offset of the packet number in it, of packets that have one.
type quicPacket struct {
	kind       quicKind
	version    uint32
	dcid, scid []byte
	all        []byte
	number     int
}

// quicVarint reads a variable-length integer (RFC 9000 section 16).
func quicVarint(r *tlsReader) int {
	first := r.u8()
	v := first & 0x3f
	for n := 1<<(first>>6) - 1; n > 0; n-- {
		if v > 1<<40 { // no length or offset of an Initial is that large
			r.b, r.bad = nil, true
			return 0
		}
		v = v<<8 | r.u8()
	}
	return v
}

// quicParse takes the first packet off a datagram; ok is false for a short header and for damage.
func quicParse(data []byte) (p quicPacket, rest []byte, ok bool) {
	r := tlsReader{b: data}
	first := r.u8()
	if first&0x80 == 0 {
		return p, nil, false
	}
	p.version = uint32(r.u16())<<16 | uint32(r.u16())
	p.dcid, p.scid = r.vec8(), r.vec8()
	if r.bad || len(p.dcid) > quicMaxConnID || len(p.scid) > quicMaxConnID {
		return p, nil, false
	}
	if p.kind = quicKindOf(byte(first), p.version); p.kind == quicRetry || p.kind == quicNegotiation {
		p.all = data
		return p, nil, true
	}
	if p.kind == quicInitial {
		r.bytes(quicVarint(&r))
	}
	length := quicVarint(&r)
	p.number = len(data) - len(r.b)
	if r.bytes(length); r.bad {
		return p, nil, false
	}
	p.all = data[:p.number+length]
	return p, r.b, true
}

// quicKindOf reads the type bits, which version 2 has renumbered (RFC 9369 section 3.2).
func quicKindOf(first byte, version uint32) quicKind {
	if version == 0 {
		return quicNegotiation
	}
	kind := quicKind(first >> 4 & 3)
	if version == quicVersion2 || version == quicVersion2Old {
		kind = (kind + 3) & 3
	}
	return kind
}

// quicKnown reports whether the version is one whose long headers are as in RFC 9000, by its value or by its form.
func quicKnown(version uint32) bool {
	switch version {
	case quicVersion1, quicVersion2, quicVersion2Old, quicGoogleQ050, quicGoogleT050, quicGoogleT051:
		return true
	}
	return version >= quicDraft22 && version <= quicDraft34 || version&quicReservedMask == quicReserved || version&quicMvfstMask == quicMvfst
}

// quicLooks reports whether data is a datagram that opens a QUIC connection or answers its opening: a long header of a known
// version, version negotiation, or a packet of Google QUIC that names its version.
func quicLooks(data []byte) bool {
	if len(data) > 0 && data[0]&0x80 == 0 || len(data) > 4 && quicGoogleVersion(data[1:5]) {
		return quicLooksGoogle(data)
	}
	p, _, ok := quicParse(data)
	if !ok {
		return false
	}
	if p.kind == quicNegotiation {
		return quicLooksNegotiation(data, len(p.dcid)+len(p.scid))
	}
	// A server may answer with connection ids of any length, but an empty pair is no QUIC.
	return quicKnown(p.version) && len(p.dcid)+len(p.scid) > 0 || quicOpens(data, &p)
}

// quicOpens reports whether a datagram of a version that is not known has the form and size of a client's first (RFC 9000 sections 7.2
// and 14.1), and is protected with keys that some known version makes of it. Nothing else is, by chance.
func quicOpens(data []byte, p *quicPacket) bool {
	const fixed, smallest, shortestID = 0xc0, 1200, 8
	if data[0]&fixed != fixed || len(data) < smallest || p.kind != quicInitial || len(p.dcid) < shortestID || quicKnown(p.version) {
		return false
	}
	room := quicRooms.Get().(*quicRoom)
	defer quicRooms.Put(room)
	for _, version := range quicKeysLike(p.version) {
		secrets := room.secrets(version, p.dcid)
		if keys := room.keys(&secrets, FromClient); keys.open(p, room) != nil {
			return true
		}
	}
	return false
}

// quicLooksNegotiation checks the list of versions (RFC 9000 section 17.2.1).
func quicLooksNegotiation(data []byte, ids int) bool {
	const fixed = 7 // first byte, version, two lengths
	list := tlsReader{b: data[fixed+ids:]}
	if ids == 0 || len(list.b) == 0 || len(list.b)%4 != 0 {
		return false
	}
	for len(list.b) > 0 {
		if quicKnown(uint32(list.u16())<<16 | uint32(list.u16())) {
			return true
		}
	}
	return false
}
