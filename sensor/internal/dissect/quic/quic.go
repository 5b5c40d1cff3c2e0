// SPDX-License-Identifier: Apache-2.0

// Package quic decrypts the Initial packets of QUIC, whose keys are public, and reads the TLS hellos in them.
package quic

import (
	"encoding/binary"
	"sync"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "quic",
	Signs: "header with a known version; packets that repeat a connection id",
	Ports: "443 for repeats",
	Reads: "hellos: SNI, JA3, JA4",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 720, Looks: Looks, New: New},
	},
})

// Frames that Initial packets may contain, RFC 9000 section 12.4. googleCrypto is used by Google's versions 50 and 51.
const (
	framePadding = 0x00
	framePing    = 0x01
	frameAck     = 0x02
	frameAckECN  = 0x03
	frameCrypto  = 0x06
	googleCrypto = 0x08
)

// maxDatagrams is the number of datagrams without both hellos after which a connection is no longer read. maxKeys
// bounds how often new keys are tried, which costs some microseconds each.
const (
	maxDatagrams = 32
	maxKeys      = 6
)

// Conn reads the Initial packets of a QUIC connection: the hellos of client and server. The keys of Initials follow
// from the connection id that the client chose, so anybody who sees the client's first packet can read them. After a
// Retry, or if the first packet was missed, the id of the current packet is tried.
type Conn struct {
	keys      [2]keySet
	keyFor    [2]uint32  // version for which the keys were made
	secrets   secretPair // from which they were made
	secretFor uint32     // version of the packets for which the secrets were made
	id        connID
	tries     int
	crypto    [2]tls.Pieces
	done      [2]bool
	seen      bool // QUICInitial was reported
	datagrams int
}

// New returns a dissector of QUIC.
func New() dissect.Datagrams { return new(Conn) }

// Datagram reads one datagram of direction dir. It returns false if the connection needs no more of them.
func (q *Conn) Datagram(dir int, data []byte, sink dissect.Sink) (more bool) {
	dir &= 1
	q.datagrams++
	if looksGoogle(data) {
		q.google(dir, data, sink)
	} else if q.readPackets(dir, data, sink) && dir == dissect.FromClient {
		// A short header from the client: both hellos are over.
		q.done[dissect.FromClient], q.done[dissect.FromServer] = true, true
	}
	if q.datagrams >= maxDatagrams || q.done[dissect.FromClient] && q.done[dissect.FromServer] {
		*q = Conn{done: [2]bool{true, true}, datagrams: q.datagrams}
		return false
	}
	return true
}

// readPackets reads the coalesced packets of a datagram (RFC 9000 section 12.2). short reports whether it begins with a
// short header.
func (q *Conn) readPackets(dir int, data []byte, sink dissect.Sink) (short bool) {
	if len(data) > 0 && data[0]&0x80 == 0 {
		return true
	}
	for len(data) > 0 {
		p, rest, ok := parsePacket(data)
		if !ok {
			break
		}
		data = rest
		switch {
		case p.kind == kindInitial && (!q.done[dir] || dir == dissect.FromClient && !q.id.known):
			q.initial(dir, &p, sink)
		case p.kind == kindNegotiation && dir == dissect.FromServer:
			q.begin(connID{})
		case p.kind == kindRetry && dir == dissect.FromServer:
			q.begin(connIDOf(p.scid))
		}
	}
	return false
}

// maxFrames is the capacity for the frames of a packet.
const maxFrames = 1 << 11

// rooms is a pool of rooms. What a room holds is copied before the room goes back.
var rooms = sync.Pool{New: func() any { return newQUICRoom() }}

// initial reads one Initial packet.
func (q *Conn) initial(dir int, p *packet, sink dissect.Sink) {
	room := rooms.Get().(*room)
	defer rooms.Put(room)
	frames := q.open(dir, p, room)
	if frames == nil || q.done[dir] {
		return
	}
	if dir == dissect.FromClient && !q.seen {
		q.seen = true
		sink(&dissect.QUICInitial{Version: p.version, FromClient: true})
	}
	q.hello(dir, readCrypto(frames, p.version, &q.crypto[dir]), sink)
}

// connID is the connection id from which the keys are derived.
type connID struct {
	known bool
	n     uint8
	b     [maxConnID]byte
}

func connIDOf(b []byte) (id connID) {
	id.known, id.n = true, uint8(copy(id.b[:], b))
	return id
}

// open decrypts a packet with the current keys, or else with keys from the packet's own connection id.
func (q *Conn) open(dir int, p *packet, room *room) []byte {
	if q.id.known {
		if q.keys[dir].aead == nil || q.keyFor[dir] != p.version {
			if q.secretFor != p.version {
				q.secrets, q.secretFor = room.secrets(keysLike(p.version)[0], q.id.b[:q.id.n]), p.version
			}
			q.keys[dir], q.keyFor[dir] = room.keys(&q.secrets, dir), p.version
		}
		if frames := q.keys[dir].open(p, room); frames != nil {
			return frames
		}
	}
	if dir == dissect.FromServer || q.tries >= maxKeys {
		return nil
	}
	q.tries++
	for _, version := range keysLike(p.version) {
		if version == 0 {
			continue
		}
		secrets := room.secrets(version, p.dcid)
		keys := room.keys(&secrets, dir)
		if frames := keys.open(p, room); frames != nil {
			q.begin(connIDOf(p.dcid))
			q.secrets, q.secretFor, q.keys[dir], q.keyFor[dir] = secrets, p.version, keys, p.version
			return frames
		}
	}
	return nil
}

// begin starts over with another connection id, none if it is not known. The client sends its data again, and may send
// other data.
func (q *Conn) begin(id connID) {
	q.id, q.secrets, q.secretFor, q.keys = id, secretPair{}, 0, [2]keySet{}
	q.crypto[dissect.FromClient].Reset()
}

// readCrypto collects the CRYPTO frames of a packet and returns what is complete from the start. It stops at a frame
// that an Initial must not contain. A message that begins the stream and fits one frame is not collected, because
// nothing else is needed.
func readCrypto(frames []byte, version uint32, into *tls.Pieces) []byte {
	r := parse.Reader{B: frames}
	for len(r.B) > 0 {
		if r.B[0] == framePadding {
			r.B = skipPadding(r.B)
			continue
		}
		switch typ := r.U8(); {
		case typ == framePing:
		case typ == frameAck || typ == frameAckECN:
			skipAck(&r, typ == frameAckECN)
		case typ == frameCrypto || typ == googleCrypto && isGoogle(version):
			off := varint(&r)
			data := r.Bytes(varint(&r))
			if off == 0 && len(into.Spans) == 0 && len(data) <= tls.MaxPieces && whole(data) {
				return data
			}
			into.Add(off, data)
		default:
			return into.Prefix()
		}
	}
	return into.Prefix()
}

// whole reports whether b begins with a whole handshake message.
func whole(b []byte) bool {
	r := parse.Reader{B: b}
	r.U8()
	r.Vec24()
	return !r.Bad
}

// skipPadding skips zeros, of which an Initial has about a thousand (RFC 9000 section 14.1), eight at a time.
func skipPadding(b []byte) []byte {
	for len(b) >= 8 && binary.LittleEndian.Uint64(b) == 0 {
		b = b[8:]
	}
	for len(b) > 0 && b[0] == framePadding {
		b = b[1:]
	}
	return b
}

// skipAck skips an ACK frame (RFC 9000 section 19.3).
func skipAck(r *parse.Reader, ecn bool) {
	varint(r)
	varint(r)
	ranges := varint(r)
	varint(r)
	for i := 0; i < ranges && !r.Bad; i++ {
		varint(r)
		varint(r)
	}
	for i := 0; ecn && i < 3; i++ {
		varint(r)
	}
}

// hello reports the hello of a direction once it is complete. stream is what is known of its data from the start.
func (q *Conn) hello(dir int, stream []byte, sink dissect.Sink) {
	r := parse.Reader{B: stream}
	if len(r.B) < tls.HandshakeHeaderLen {
		return
	}
	if string(r.B[:tls.HandshakeHeaderLen]) == gquicHello {
		q.google(dir, r.B, sink)
		return
	}
	typ, size := r.U8(), r.U24()
	body := r.Bytes(size)
	if r.Bad {
		q.done[dir] = size > tls.MaxPieces
		return
	}
	q.done[dir] = true
	switch typ {
	case tls.MessageClientHello:
		if h := tls.ParseClientHello(body, false); h != nil {
			h.NPFBodies = nil
			h.QUIC = true
			sink(h)
		}
	case tls.MessageServerHello:
		if h := tls.ParseServerHello(body, false); h != nil {
			h.NPFBodies = nil // QUIC has NPF fingerprints of its own
			sink(h)
		}
	}
}
