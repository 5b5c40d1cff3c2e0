// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"encoding/binary"
	"sync"
)

// Frames that Initial packets may hold, RFC 9000 section 12.4; quicGoogleCrypto is what Google's versions 50 and 51 use.
const (
	quicFramePadding = 0x00
	quicFramePing    = 0x01
	quicFrameAck     = 0x02
	quicFrameAckECN  = 0x03
	quicFrameCrypto  = 0x06
	quicGoogleCrypto = 0x08
)

// quicMaxDatagrams is after how many datagrams a connection whose hellos were not found is left alone; quicMaxKeys bounds
// how often new keys are tried, each of which costs some microseconds.
const (
	quicMaxDatagrams = 32
	quicMaxKeys      = 6
)

// quicConn reads the Initial packets of a QUIC connection: the client's and the server's hello. The keys of Initials follow from the
// connection id that the client chose, so anybody who sees the client's first packet can read them; they
// hide nothing. After a Retry, or where a later packet is the first that is seen, the id of that packet is tried.
type quicConn struct {
	keys      [2]quicKeys
	keyFor    [2]uint32   // version for which the keys were made
	secrets   quicSecrets // from which they were made
	secretFor uint32      // version that packets had for which the secrets were made
	id        quicID
	tries     int
	crypto    [2]tlsPieces
	done      [2]bool
	seen      bool // QUICInitial was given
	datagrams int
}

// datagram reads one datagram of direction dir. It returns false if the connection needs no more of them.
func (q *quicConn) datagram(dir int, data []byte, sink Sink) (more bool) {
	dir &= 1
	q.datagrams++
	if quicLooksGoogle(data) {
		q.google(dir, data, sink)
	} else if q.readPackets(dir, data, sink) && dir == FromClient {
		// A short header from the client: both hellos have been.
		q.done[FromClient], q.done[FromServer] = true, true
	}
	if q.datagrams >= quicMaxDatagrams || q.done[FromClient] && q.done[FromServer] {
		*q = quicConn{done: [2]bool{true, true}, datagrams: q.datagrams}
		return false
	}
	return true
}

// readPackets reads the coalesced packets of a datagram (RFC 9000 section 12.2). short says that it begins with a short header.
func (q *quicConn) readPackets(dir int, data []byte, sink Sink) (short bool) {
	if len(data) > 0 && data[0]&0x80 == 0 {
		return true
	}
	for len(data) > 0 {
		p, rest, ok := quicParse(data)
		if !ok {
			break
		}
		data = rest
		switch {
		case p.kind == quicInitial && (!q.done[dir] || dir == FromClient && !q.id.known):
			q.initial(dir, &p, sink)
		case p.kind == quicNegotiation && dir == FromServer:
			q.begin(quicID{})
		case p.kind == quicRetry && dir == FromServer:
			q.begin(quicIDOf(p.scid))
		}
	}
	return false
}

// quicMaxFrames is the room for the frames of a packet.
const quicMaxFrames = 1 << 11

// quicRooms lends rooms. What one holds is copied before it is given back.
var quicRooms = sync.Pool{New: func() any { return newQUICRoom() }}

// initial reads one Initial packet.
func (q *quicConn) initial(dir int, p *quicPacket, sink Sink) {
	room := quicRooms.Get().(*quicRoom)
	defer quicRooms.Put(room)
	frames := q.open(dir, p, room)
	if frames == nil || q.done[dir] {
		return
	}
	if dir == FromClient && !q.seen {
		q.seen = true
		sink(&QUICInitial{Version: p.version, FromClient: true})
	}
	q.hello(dir, quicCrypto(frames, p.version, &q.crypto[dir]), sink)
}

// quicID is the connection id from which the keys are made.
type quicID struct {
	known bool
	n     uint8
	b     [quicMaxConnID]byte
}

func quicIDOf(b []byte) (id quicID) {
	id.known, id.n = true, uint8(copy(id.b[:], b))
	return id
}

// open decrypts a packet with the keys at hand, else with keys from the packet's own connection id.
func (q *quicConn) open(dir int, p *quicPacket, room *quicRoom) []byte {
	if q.id.known {
		if q.keys[dir].aead == nil || q.keyFor[dir] != p.version {
			if q.secretFor != p.version {
				q.secrets, q.secretFor = room.secrets(quicKeysLike(p.version)[0], q.id.b[:q.id.n]), p.version
			}
			q.keys[dir], q.keyFor[dir] = room.keys(&q.secrets, dir), p.version
		}
		if frames := q.keys[dir].open(p, room); frames != nil {
			return frames
		}
	}
	if dir == FromServer || q.tries >= quicMaxKeys {
		return nil
	}
	q.tries++
	for _, version := range quicKeysLike(p.version) {
		if version == 0 {
			continue
		}
		secrets := room.secrets(version, p.dcid)
		keys := room.keys(&secrets, dir)
		if frames := keys.open(p, room); frames != nil {
			q.begin(quicIDOf(p.dcid))
			q.secrets, q.secretFor, q.keys[dir], q.keyFor[dir] = secrets, p.version, keys, p.version
			return frames
		}
	}
	return nil
}

// begin starts over with another connection id, none if it is not known. What the client sent before, it sends again, and perhaps
// something else.
func (q *quicConn) begin(id quicID) {
	q.id, q.secrets, q.secretFor, q.keys = id, quicSecrets{}, 0, [2]quicKeys{}
	q.crypto[FromClient].reset()
}

// quicCrypto collects the CRYPTO frames of a packet, and gives what is there from the start. Any other frame than those that an Initial
// may hold ends it. A message that begins the stream and is whole within one frame is not collected: nothing else is wanted.
func quicCrypto(frames []byte, version uint32, into *tlsPieces) []byte {
	r := tlsReader{b: frames}
	for len(r.b) > 0 {
		if r.b[0] == quicFramePadding {
			r.b = quicSkipPadding(r.b)
			continue
		}
		switch typ := r.u8(); {
		case typ == quicFramePing:
		case typ == quicFrameAck || typ == quicFrameAckECN:
			quicSkipAck(&r, typ == quicFrameAckECN)
		case typ == quicFrameCrypto || typ == quicGoogleCrypto && quicIsGoogle(version):
			off := quicVarint(&r)
			data := r.bytes(quicVarint(&r))
			if off == 0 && len(into.spans) == 0 && len(data) <= tlsMaxPieces && quicWhole(data) {
				return data
			}
			into.add(off, data)
		default:
			return into.prefix()
		}
	}
	return into.prefix()
}

// quicWhole reports whether b begins with a whole handshake message.
func quicWhole(b []byte) bool {
	r := tlsReader{b: b}
	r.u8()
	r.vec24()
	return !r.bad
}

// quicSkipPadding passes over zeros, of which an Initial has a thousand (RFC 9000 section 14.1), eight at a time.
func quicSkipPadding(b []byte) []byte {
	for len(b) >= 8 && binary.LittleEndian.Uint64(b) == 0 {
		b = b[8:]
	}
	for len(b) > 0 && b[0] == quicFramePadding {
		b = b[1:]
	}
	return b
}

// quicSkipAck reads over an ACK frame (RFC 9000 section 19.3).
func quicSkipAck(r *tlsReader, ecn bool) {
	quicVarint(r)
	quicVarint(r)
	ranges := quicVarint(r)
	quicVarint(r)
	for i := 0; i < ranges && !r.bad; i++ {
		quicVarint(r)
		quicVarint(r)
	}
	for i := 0; ecn && i < 3; i++ {
		quicVarint(r)
	}
}

// hello gives the hello of a direction once all of it is there. stream is what is known of it from its start.
func (q *quicConn) hello(dir int, stream []byte, sink Sink) {
	r := tlsReader{b: stream}
	if len(r.b) < tlsHandshakeHead {
		return
	}
	if string(r.b[:tlsHandshakeHead]) == gquicHello {
		q.google(dir, r.b, sink)
		return
	}
	typ, size := r.u8(), r.u24()
	body := r.bytes(size)
	if r.bad {
		q.done[dir] = size > tlsMaxPieces
		return
	}
	q.done[dir] = true
	switch typ {
	case tlsClientHello:
		if h := tlsParseClientHello(body, false); h != nil {
			h.QUIC = true
			sink(h)
		}
	case tlsServerHello:
		if h := tlsParseServerHello(body, false); h != nil {
			sink(h)
		}
	}
}
