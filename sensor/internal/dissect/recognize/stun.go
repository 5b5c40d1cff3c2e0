// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "stun",
	Signs: "magic cookie; UDP: length of the datagram",
	Ports: "3478 without the cookie",
	Reads: "programs (UDP)",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 480, Looks: LooksSTUNStream},
	},
	Datagrams: []protocol.Datagram{
		{Order: 30, First: "\x00\x3f", Looks: LooksSTUN, New: NewSTUN},
		{Order: 260, First: "\x00\x01", Ports: []uint16{3478}, Looks: LooksOldSTUN},
	},
})

const stunCookie = "\x21\x12\xa4\x42"

// LooksSTUN recognizes the magic cookie and a length that fits (RFC 8489 section 5).
func LooksSTUN(b []byte, _ dissect.Ports) bool {
	return len(b) >= 20 && b[0] < 0x40 && string(b[4:8]) == stunCookie &&
		int(binary.BigEndian.Uint16(b[2:])) == len(b)-20 && len(b)%4 == 0
}

// LooksSTUNStream recognizes STUN and TURN over TCP by the magic cookie (RFC 8489 section 5).
func LooksSTUNStream(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	if head[0] > 3 {
		return match.No
	}
	if len(head) < 8 {
		return match.Maybe
	}
	return match.Prefix(head[4:], stunCookie)
}

// stunDatagrams reads the names of the programs that speak STUN or TURN.
type stunDatagrams struct {
	named [2]bool
	count uint8
}

// NewSTUN returns a dissector of STUN over UDP.
func NewSTUN() dissect.Datagrams { return new(stunDatagrams) }

// maxSTUN bounds the messages of a session that are read.
const maxSTUN = 8

// Datagram reads the attribute SOFTWARE (RFC 8489 section 14.14); see dissect.Datagrams.
func (s *stunDatagrams) Datagram(dir int, b []byte, sink dissect.Sink) bool {
	const headLen, software = 20, 0x8022
	s.count++
	if LooksSTUN(b, dissect.Ports{}) && !s.named[dir] {
		r := parse.Reader{B: b[headLen:]}
		for len(r.B) > 0 && !r.Bad {
			kind, value := r.U16(), r.Vec16()
			r.Bytes(min(-len(value)&3, len(r.B)))
			if text := parse.CleanText(value, dissect.MaxBanner); kind == software && text != "" {
				s.named[dir] = true
				sink(&dissect.Banner{Protocol: "stun", Text: text, Client: dir == dissect.FromClient})
				break
			}
		}
	}
	return s.count < maxSTUN && !(s.named[0] && s.named[1])
}
