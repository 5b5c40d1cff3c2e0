// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// Message numbers, RFC 4253 section 12.
const (
	sshMsgKexInit = 20
	sshMsgNewKeys = 21
)

// Bounds: an identification line has at most 255 bytes with its line end (RFC 4253 section 4.2), but longer ones exist; a packet has at
// most 35000 bytes (section 6.1).
const (
	sshMaxLine   = 1024
	sshMaxPacket = 35000
)

// sshStream reads both directions of an SSH connection: identification lines, key exchange offers, and from the sizes
// of the encrypted segments whether a login succeeded. It sees no more of a direction than the head that is kept of a
// stream (16 KiB), which is room for more than a hundred failed logins.
type sshStream struct {
	dirs [2]sshHalf
	auth sshAuth
	kex  [2]*SSHKexInit
}

// sshHalf is the state of one direction.
type sshHalf struct {
	next  int // offset of what was not read yet
	seen  int // length of the head at the last call
	phase sshPhase
	one   bool // this side speaks SSH 1
	part  int  // length of encrypted segments that are no whole packet yet
}

type sshPhase uint8

const (
	sshLine      sshPhase = iota // identification line, and text before it
	sshPackets                   // packets in clear
	sshEncrypted                 // after SSH_MSG_NEWKEYS
	sshDone
)

// sshLooks reports whether head is the start of an SSH stream.
func sshLooks(head []byte) bool {
	return len(head) >= 6 && string(head[:4]) == "SSH-" && (head[4] == '1' || head[4] == '2') && head[5] == '.'
}

// feed reads on in one direction. head is the whole stream of that direction so far; what it has grown by since the last
// call has to be one segment, as the inference of logins stands on the sizes of segments. It gives the number of bytes,
// counted from the start of the stream, with which it wants to be called again: always one more than there are, or 0 if it
// wants no more. final says that no more will come.
func (s *sshStream) feed(dir int, head []byte, final bool, sink Sink) (want int) {
	dir &= 1
	d := &s.dirs[dir]
	for d.phase == sshLine && s.line(dir, head, sink) {
	}
	for d.phase == sshPackets && s.packet(dir, head, sink) {
	}
	if d.phase == sshEncrypted {
		s.encrypted(dir, head, sink)
	}
	d.seen = max(d.seen, len(head))
	if final {
		if d.phase == sshEncrypted {
			s.auth.end(len(head) >= headLimit, sink)
		}
		d.phase = sshDone
	}
	if d.phase == sshDone {
		return 0
	}
	return len(head) + 1
}

// line reads one line before the packets; it reports whether it read one. Only a server may send other lines
// before its identification (RFC 4253 section 4.2).
func (s *sshStream) line(dir int, head []byte, sink Sink) bool {
	d := &s.dirs[dir]
	rest := head[min(d.next, len(head)):]
	end := bytes.IndexByte(rest[:min(len(rest), sshMaxLine)], '\n')
	if end < 0 {
		if len(rest) >= sshMaxLine {
			d.phase = sshDone
		}
		return false
	}
	d.next += end + 1
	text := bytes.TrimRight(rest[:end], "\r")
	if !sshLooks(text) {
		if dir == FromClient {
			d.phase = sshDone
		}
		return true
	}
	sink(&SSHBanner{Server: dir == FromServer, Line: string(text)})
	s.auth.banner(dir == FromServer, string(text))
	d.phase = sshPackets
	if sshSpeaksOne(text) {
		d.phase, d.one = sshDone, true
		s.auth.stop()
	}
	return true
}

// sshSpeaksOne reports whether the line is of SSH 1. Version 1.99 stands for 2 with an offer of 1 (RFC 4253 section 5.1).
func sshSpeaksOne(line []byte) bool {
	return line[4] == '1' && !bytes.HasPrefix(line, []byte("SSH-1.99-"))
}

// packet reads one packet in clear (RFC 4253 section 6); it reports whether it read one.
func (s *sshStream) packet(dir int, head []byte, sink Sink) bool {
	d := &s.dirs[dir]
	const minPacket = 6 // length, padding length, message number
	rest := head[min(d.next, len(head)):]
	if len(rest) < minPacket {
		return false
	}
	n := uint32(rest[0])<<24 | uint32(rest[1])<<16 | uint32(rest[2])<<8 | uint32(rest[3])
	padding := uint32(rest[4])
	if n > sshMaxPacket || n < padding+2 || s.dirs[1-dir].one {
		d.phase = sshDone
		s.auth.stop()
		return false
	}
	if len(rest) < 4+int(n) {
		return false
	}
	d.next += 4 + int(n)
	payload := rest[5 : 4+n-padding]
	switch payload[0] {
	case sshMsgKexInit:
		s.kexInit(dir, payload, sink)
	case sshMsgNewKeys:
		d.phase = sshEncrypted
		s.auth.negotiated(s.kex[FromClient], s.kex[FromServer])
	}
	return true
}

// kexInit gives the first offer of a direction.
func (s *sshStream) kexInit(dir int, payload []byte, sink Sink) {
	if s.kex[dir] != nil {
		return
	}
	if k := sshParseKexInit(payload); k != nil {
		k.Server = dir == FromServer
		s.kex[dir] = k
		sink(k)
	}
}

// encrypted takes the sizes of what has come: of the packets where their lengths are in clear, else of the segment.
func (s *sshStream) encrypted(dir int, head []byte, sink Sink) {
	d := &s.dirs[dir]
	if s.auth.over || !s.auth.known {
		d.phase = sshDone
		return
	}
	sizes := s.auth.sizes[dir]
	if !sizes.clear {
		s.segment(dir, len(head)-max(d.next, d.seen), sink)
	}
	for sizes.clear && !s.auth.over && len(head)-d.next >= 4 {
		rest := head[d.next:]
		n := uint32(rest[0])<<24 | uint32(rest[1])<<16 | uint32(rest[2])<<8 | uint32(rest[3])
		if n > sshMaxPacket || int(n)%sizes.block != 0 {
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
		d.phase = sshDone
	}
}

// segment takes the size of a segment. One that no whole packets add up to is a part: some send 64 bytes at a time, and what is longer than a
// segment comes in several.
func (s *sshStream) segment(dir, size int, sink Sink) {
	d, other := &s.dirs[dir], &s.dirs[1-dir]
	if size <= 0 {
		return
	}
	if other.part > 0 { // the other side goes on before it is whole: the sum was wrong
		s.packetOf(1-dir, other.part, sink)
		other.part = 0
	}
	d.part += size
	if s.auth.sizes[dir].whole(d.part) {
		size, d.part = d.part, 0
		s.packetOf(dir, size, sink)
	}
}

func (s *sshStream) packetOf(dir, size int, sink Sink) {
	switch {
	case size <= 0:
	case dir == FromClient:
		s.auth.client(size, sink)
	default:
		s.auth.server(size, sink)
	}
}
