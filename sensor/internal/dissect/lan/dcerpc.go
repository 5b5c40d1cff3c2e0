// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/announce"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "dcerpc",
	Signs: "TCP: version 5, type, representation, length; UDP: version 4, type, representation, length",
	Reads: "NTLM: computer, version of Windows (TCP)",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 280, Looks: LooksDCERPC, New: NewDCERPC},
	},
	Datagrams: []protocol.Datagram{
		{Order: 440, First: "\x04\x04", Looks: LooksDCERPCDatagram},
	},
})

// The header of a message of DCE RPC, with connections (C706, section 12.6.3.1).
const (
	rpcHeadLen  = 16
	rpcKindAt   = 2
	rpcDataAt   = 4 // representation of data: 10 00 00 00 is little endian with ASCII
	rpcLengthAt = 8
	rpcLongest  = 1 << 15
	maxRPC      = 8 // messages of each side that are read
)

// LooksDCERPC recognizes a message of DCE RPC over TCP: version 5, type, representation of data, length. Programs of Windows use it.
func LooksDCERPC(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const maxKind = 19
	switch {
	case head[0] != 5, len(head) > 1 && head[1] > 1, len(head) > rpcKindAt && head[rpcKindAt] > maxKind,
		len(head) > rpcDataAt && match.AnyPrefix(head[rpcDataAt:], "\x10\x00\x00\x00", "\x00\x00\x00\x00") == match.No:
		return match.No
	case len(head) < rpcHeadLen:
		return match.Maybe
	}
	size := rpcSize(head)
	return match.If(size >= rpcHeadLen && size <= rpcLongest)
}

// rpcSize returns the length of a message, 0 if it has no room for its authentication.
func rpcSize(b []byte) int {
	order := binary.ByteOrder(binary.BigEndian)
	if b[rpcDataAt] != 0 {
		order = binary.LittleEndian
	}
	size, authentication := int(order.Uint16(b[rpcLengthAt:])), int(order.Uint16(b[rpcLengthAt+2:]))
	if authentication > size-rpcHeadLen {
		return 0
	}
	return size
}

// LooksDCERPCDatagram recognizes a message of DCE RPC over UDP (C706, section 12.5): version 4, type, representation of data, length. PROFINET
// uses it.
func LooksDCERPCDatagram(b []byte, _ dissect.Ports) bool {
	const headLen, maxKind, lengthAt, dataAt = 80, 10, 74, 4
	if len(b) < headLen || b[0] != 4 || b[1] > maxKind || match.AnyPrefix(b[dataAt:], "\x10\x00\x00", "\x00\x00\x00") != match.Yes {
		return false
	}
	size := binary.BigEndian.Uint16(b[lengthAt:])
	if b[dataAt] != 0 {
		size = binary.LittleEndian.Uint16(b[lengthAt:])
	}
	return headLen+int(size) == len(b)
}

// dceRPC reads who both sides are while the client binds.
type dceRPC struct {
	pos, count [2]int
	found      [2]bool
}

// NewDCERPC returns a dissector of DCE RPC over TCP.
func NewDCERPC() dissect.Stream { return new(dceRPC) }

// Feed reads the messages of NTLM with which a client binds; see dissect.Stream.
func (d *dceRPC) Feed(dir int, head []byte, _ bool, sink dissect.Sink) int {
	for d.count[dir] < maxRPC && !d.found[dir] {
		at := d.pos[dir]
		if len(head) < at+rpcHeadLen {
			return at + rpcHeadLen
		}
		size := rpcSize(head[at:])
		end := at + size
		switch {
		case head[at] != 5 || size < rpcHeadLen || end > dissect.HeadLimit:
			return 0
		case len(head) < end:
			return end
		}
		if info := announce.NTLM(head[at:end]); info != nil {
			d.found[dir] = true
			sink(info)
		}
		d.pos[dir] = end
		d.count[dir]++
	}
	return 0
}
