// SPDX-License-Identifier: Apache-2.0

// Package tunnel reads TLS in OpenVPN and behind SOCKS, and recognizes WireGuard, IKE, and data in the echo messages of ICMP.
package tunnel

import (
	"encoding/binary"
	"slices"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "openvpn",
	Signs: "first packet of a client",
	Ports: "1194 for the server's first, and without a time",
	Reads: "TLS",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 140, Looks: LooksOpenVPNStream, New: NewOpenVPNStream},
	},
	Datagrams: []protocol.Datagram{
		{Order: 550, First: "\x38\x38\x40\x40\x50\x50", Looks: LooksOpenVPN, New: NewOpenVPN},
	},
})

// Operations of OpenVPN, in the upper five bits of the first byte (draft-openvpn-wire-protocol-00 section 3).
const (
	openVPNControl     = 4
	openVPNData        = 6
	openVPNResetClient = 7
	openVPNResetServer = 8
	openVPNData2       = 9
	openVPNResetCrypt  = 10 // of a client with its own key
)

const (
	openVPNHead    = 9  // operation and session id
	openVPNMaxAcks = 8  // acknowledgements in one packet
	openVPNMaxHeld = 16 // packets of a direction that arrived early
	openVPNMaxSeen = 64 // packets after which a session is no longer read
)

// openVPNExtras are the numbers of bytes between session id and acknowledgements: none, or a MAC of MD5, SHA-1 or SHA-2
// with packet number and time.
var openVPNExtras = [...]int{0, 16 + 8, 20 + 8, 28 + 8, 32 + 8, 48 + 8, 64 + 8}

// LooksOpenVPN recognizes the first packet of a client: without further authentication, with it (tls-auth), or
// encrypted (tls-crypt). On the port of OpenVPN it accepts the server's and others, too.
func LooksOpenVPN(b []byte, ports dissect.Ports) bool {
	const plain, crypt, recent, v2Number = 14, 54, 1_200_000_000, 0x0f000001
	if len(b) < plain || b[0]&7 != 0 {
		return false
	}
	op, usual := b[0]>>3, ports.Has(1194) && len(b) < 1400
	switch op {
	case openVPNResetClient, openVPNResetCrypt:
	case openVPNResetServer:
		return usual && len(b) < 200
	default:
		return false
	}
	if op == openVPNResetClient {
		if _, ok := openVPNReset(b); ok || usual && len(b) < 200 {
			return true
		}
	}
	if len(b) < crypt || op == openVPNResetClient && len(b) != crypt {
		return false
	}
	number := binary.BigEndian.Uint32(b[openVPNHead:])
	return usual && op == openVPNResetCrypt || (number == 1 || number == v2Number) && binary.BigEndian.Uint32(b[openVPNHead+4:]) > recent
}

// openVPNReset returns the number of authentication bytes in a reset in clear text: it has packet number 0 and no payload.
func openVPNReset(b []byte) (extra int, ok bool) {
	for _, x := range openVPNExtras {
		id, payload, ok := openVPNMessage(b, x)
		if ok && id == 0 && len(payload) == 0 && (x == 0 || binary.BigEndian.Uint32(b[openVPNHead+x-8:]) == 1) {
			return x, true
		}
	}
	return 0, false
}

// openVPNMessage reads a control packet in clear text: acknowledgements, packet number, payload.
func openVPNMessage(b []byte, extra int) (id uint32, payload []byte, ok bool) {
	at := openVPNHead + extra
	if len(b) <= at || b[at] > openVPNMaxAcks {
		return 0, nil, false
	}
	acks := int(b[at])
	if at += 1 + 4*acks; acks > 0 {
		at += 8 // session id of the other end
	}
	if len(b) < at+4 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(b[at:]), b[at+4:], true
}

// openVPN reads the TLS handshake in the control packets of OpenVPN. If they are encrypted (tls-crypt), there is
// nothing to read.
type openVPN struct {
	known bool // the number of authentication bytes is known
	extra int
	flip  int // 1 if the responder acts as the client
	seen  int
	dirs  [2]openVPNHalf
	tls   tls.Stream
}

// NewOpenVPN returns a dissector of OpenVPN over UDP.
func NewOpenVPN() dissect.Datagrams { return new(openVPN) }

// openVPNHalf reassembles the TLS stream of a direction from packets that arrive in any order and more than once.
type openVPNHalf struct {
	next   uint32 // number of the next packet, less 1
	stream []byte
	held   []openVPNPiece
	done   bool
}

type openVPNPiece struct {
	id   uint32
	data []byte
}

func (o *openVPN) Datagram(dir int, data []byte, sink dissect.Sink) (more bool) {
	return len(data) == 0 || o.packet(dir&1, data, sink)
}

// packet reads one packet, and reports whether more are needed.
func (o *openVPN) packet(dir int, b []byte, sink dissect.Sink) (more bool) {
	o.seen++
	switch op := b[0] >> 3; op {
	case openVPNResetClient, openVPNResetServer:
		o.flip = dir
		if op == openVPNResetServer {
			o.flip ^= 1
		}
		if !o.known {
			o.extra, o.known = openVPNReset(b)
		}
	case openVPNControl:
		o.control(dir^o.flip, b, sink)
	case openVPNData, openVPNData2: // the handshake is over
		o.finish(sink)
	}
	if o.seen >= openVPNMaxSeen {
		o.finish(sink)
	}
	if o.dirs[dissect.FromClient].done && o.dirs[dissect.FromServer].done {
		*o = openVPN{seen: openVPNMaxSeen}
		return false
	}
	return true
}

func (o *openVPN) control(dir int, b []byte, sink dissect.Sink) {
	if !o.known {
		o.known = slices.ContainsFunc(openVPNExtras[:], func(x int) bool {
			o.extra = x
			id, payload, ok := openVPNMessage(b, x)
			return ok && id == 1 && len(payload) > tls.RecordHeaderLen && payload[0] == tls.RecordHandshake && tls.IsStart(payload)
		})
	}
	if !o.known {
		return
	}
	h := &o.dirs[dir]
	id, payload, ok := openVPNMessage(b, o.extra)
	if !ok || h.done || id == 0 || !h.take(id-1, payload) {
		return
	}
	h.done = o.tls.Feed(dir, h.stream, len(h.stream) >= dissect.HeadLimit, sink) == 0
}

// take adds a payload, and reports whether the stream has grown.
func (h *openVPNHalf) take(id uint32, payload []byte) bool {
	switch ahead := id - h.next; {
	case ahead == 0:
	case ahead < openVPNMaxHeld:
		if !slices.ContainsFunc(h.held, func(p openVPNPiece) bool { return p.id == id }) {
			h.held = append(h.held, openVPNPiece{id, slices.Clone(payload)})
		}
		return false
	default: // a duplicate, or far off
		return false
	}
	for ok := true; ok; {
		h.stream = append(h.stream, payload[:min(len(payload), dissect.HeadLimit-len(h.stream))]...)
		h.next++
		i := slices.IndexFunc(h.held, func(p openVPNPiece) bool { return p.id == h.next })
		if ok = i >= 0; ok {
			payload = h.held[i].data
			h.held = slices.Delete(h.held, i, i+1)
		}
	}
	return true
}

// finish reads what there is.
func (o *openVPN) finish(sink dissect.Sink) {
	for dir := range o.dirs {
		if h := &o.dirs[dir]; !h.done {
			if len(h.stream) > 0 {
				o.tls.Feed(dir, h.stream, true, sink)
			}
			h.done = true
		}
	}
}

// openVPNStream reads OpenVPN over TCP: packets behind a length of two bytes.
type openVPNStream struct {
	pos  [2]int
	over bool
	conn openVPN
}

// NewOpenVPNStream returns a dissector of OpenVPN over TCP.
func NewOpenVPNStream() dissect.Stream { return new(openVPNStream) }

// LooksOpenVPNStream recognizes OpenVPN over TCP by its first packet.
func LooksOpenVPNStream(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const shortest, longest = 14, 1400
	switch {
	case len(head) >= 3 && head[2] != openVPNResetClient<<3 && head[2] != openVPNResetCrypt<<3, head[0] > longest>>8:
		return match.No
	case len(head) < 3:
		return match.Maybe
	}
	n := int(binary.BigEndian.Uint16(head))
	switch {
	case n < shortest || n > longest:
		return match.No
	case len(head) < 2+n:
		return match.Maybe
	}
	return match.If(LooksOpenVPN(head[2:2+n], ports))
}

func (o *openVPNStream) Feed(dir int, head []byte, _ bool, sink dissect.Sink) int {
	for !o.over {
		pos := o.pos[dir]
		if len(head) < pos+2 {
			return pos + 2
		}
		n := int(binary.BigEndian.Uint16(head[pos:]))
		if len(head) < pos+2+n {
			return pos + 2 + n
		}
		o.pos[dir] = pos + 2 + n
		o.over = n == 0 || !o.conn.packet(dir, head[pos+2:pos+2+n], sink)
	}
	return 0
}
