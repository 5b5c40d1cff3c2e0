// SPDX-License-Identifier: Apache-2.0

// Package ssh reads the start of SSH connections, and infers the results of logins from the sizes of encrypted packets.
package ssh

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "ssh",
	Signs: "`SSH-` and a version",
	Reads: "banners, HASSH, logins",
	Login: protocol.LoginInferred,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 40, Looks: Looks, New: New},
	},
})

// Message numbers, RFC 4253 section 12.
const (
	msgKexInit = 20
	msgNewKeys = 21
)

// Bounds: an identification line has at most 255 bytes with its line end (RFC 4253 section 4.2), but longer ones exist; a packet has at
// most 35000 bytes (section 6.1).
const (
	maxLine   = 1024
	maxPacket = 35000
)

// Stream reads both directions of an SSH connection: identification lines, key exchange offers and, from the sizes of
// the encrypted segments, whether a login succeeded. It sees at most the head of a stream (16 KiB), which is enough for
// more than a hundred failed logins.
type Stream struct {
	dirs [2]half
	auth authInference
	kex  [2]*dissect.SSHKexInit
}

// New returns a dissector of SSH.
func New() dissect.Stream { return new(Stream) }

// half is the state of one direction.
type half struct {
	next  int // offset of what to read next
	seen  int // length of the head at the last call
	phase phase
	one   bool // this side speaks SSH 1
	part  int  // length of encrypted segments that do not make a whole packet yet
}

type phase uint8

const (
	phaseLine      phase = iota // identification line, and text before it
	phasePackets                // packets in clear text
	phaseEncrypted              // after SSH_MSG_NEWKEYS
	phaseDone
)

// isBanner reports whether head is the start of an SSH stream.
func isBanner(head []byte) bool {
	return len(head) >= 6 && string(head[:4]) == "SSH-" && (head[4] == '1' || head[4] == '2') && head[5] == '.'
}

// Feed reads one direction. head is the whole stream of that direction so far. It must have grown by one segment since
// the last call, because logins are inferred from the sizes of segments. Feed returns the number of bytes, counted from
// the start of the stream, that it needs before the next call: one more than there are, or 0 if it needs no more. final
// means that no more will come.
func (s *Stream) Feed(dir int, head []byte, final bool, sink dissect.Sink) (want int) {
	dir &= 1
	d := &s.dirs[dir]
	for d.phase == phaseLine && s.line(dir, head, sink) {
	}
	for d.phase == phasePackets && s.packet(dir, head, sink) {
	}
	if d.phase == phaseEncrypted {
		s.encrypted(dir, head, sink)
	}
	d.seen = max(d.seen, len(head))
	if final {
		if d.phase == phaseEncrypted {
			s.auth.end(len(head) >= dissect.HeadLimit, sink)
		}
		d.phase = phaseDone
	}
	if d.phase == phaseDone {
		return 0
	}
	return len(head) + 1
}

// line reads one line before the packets, and reports whether it did. Only a server may send other lines before its
// identification (RFC 4253 section 4.2).
func (s *Stream) line(dir int, head []byte, sink dissect.Sink) bool {
	d := &s.dirs[dir]
	rest := head[min(d.next, len(head)):]
	end := bytes.IndexByte(rest[:min(len(rest), maxLine)], '\n')
	if end < 0 {
		if len(rest) >= maxLine {
			d.phase = phaseDone
		}
		return false
	}
	d.next += end + 1
	text := bytes.TrimRight(rest[:end], "\r")
	if !isBanner(text) {
		if dir == dissect.FromClient {
			d.phase = phaseDone
		}
		return true
	}
	sink(&dissect.SSHBanner{Server: dir == dissect.FromServer, Line: string(text)})
	s.auth.banner(dir == dissect.FromServer, string(text))
	d.phase = phasePackets
	if speaksOne(text) {
		d.phase, d.one = phaseDone, true
		s.auth.stop()
	}
	return true
}

// speaksOne reports whether the line is of SSH 1. Version 1.99 means 2 with an offer of 1 (RFC 4253 section 5.1).
func speaksOne(line []byte) bool {
	return line[4] == '1' && !bytes.HasPrefix(line, []byte("SSH-1.99-"))
}

// packet reads one packet in clear text (RFC 4253 section 6), and reports whether it did.
func (s *Stream) packet(dir int, head []byte, sink dissect.Sink) bool {
	d := &s.dirs[dir]
	const minPacket = 6 // length, padding length, message number
	rest := head[min(d.next, len(head)):]
	if len(rest) < minPacket {
		return false
	}
	n := uint32(rest[0])<<24 | uint32(rest[1])<<16 | uint32(rest[2])<<8 | uint32(rest[3])
	padding := uint32(rest[4])
	if n > maxPacket || n < padding+2 || s.dirs[1-dir].one {
		d.phase = phaseDone
		s.auth.stop()
		return false
	}
	if len(rest) < 4+int(n) {
		return false
	}
	d.next += 4 + int(n)
	payload := rest[5 : 4+n-padding]
	switch payload[0] {
	case msgKexInit:
		s.kexInit(dir, payload, sink)
	case msgNewKeys:
		d.phase = phaseEncrypted
		s.auth.negotiated(s.kex[dissect.FromClient], s.kex[dissect.FromServer])
	}
	return true
}

// kexInit reports the first offer of a direction.
func (s *Stream) kexInit(dir int, payload []byte, sink dissect.Sink) {
	if s.kex[dir] != nil {
		return
	}
	if k := parseKexInit(payload); k != nil {
		k.Server = dir == dissect.FromServer
		s.kex[dir] = k
		sink(k)
	}
}

// encrypted reads the sizes of what arrived: of the packets if their lengths are in clear text, otherwise of the segment.
func (s *Stream) encrypted(dir int, head []byte, sink dissect.Sink) {
	d := &s.dirs[dir]
	if s.auth.over || !s.auth.known {
		d.phase = phaseDone
		return
	}
	sizes := s.auth.sizes[dir]
	if !sizes.clear {
		s.segment(dir, len(head)-max(d.next, d.seen), sink)
	}
	for sizes.clear && !s.auth.over && len(head)-d.next >= 4 {
		rest := head[d.next:]
		n := uint32(rest[0])<<24 | uint32(rest[1])<<16 | uint32(rest[2])<<8 | uint32(rest[3])
		if n > maxPacket || int(n)%sizes.block != 0 {
			s.auth.stop()
			break
		}
		size := 4 + int(n) + sizes.tag
		if len(rest) < size {
			break
		}
		d.next += size
		s.packetOf(dir, size, sink)
	}
	if s.auth.over {
		d.phase = phaseDone
	}
}

// segment reads the size of a segment. If it cannot consist of whole packets, it is a part: some programs send 64 bytes
// at a time, and long packets take several segments.
func (s *Stream) segment(dir, size int, sink dissect.Sink) {
	d, other := &s.dirs[dir], &s.dirs[1-dir]
	if size <= 0 {
		return
	}
	if other.part > 0 { // the other side continues before this one is whole: the sum was wrong
		s.packetOf(1-dir, other.part, sink)
		other.part = 0
	}
	d.part += size
	if s.auth.sizes[dir].whole(d.part) {
		size, d.part = d.part, 0
		s.packetOf(dir, size, sink)
	}
}

func (s *Stream) packetOf(dir, size int, sink dissect.Sink) {
	switch {
	case size <= 0:
	case dir == dissect.FromClient:
		s.auth.client(size, sink)
	default:
		s.auth.server(size, sink)
	}
}

// Looks recognizes the identification line with which both sides begin.
func Looks(head []byte, _ bool, _ dissect.Ports) match.Verdict { return match.Prefix(head, "SSH-") }
