// SPDX-License-Identifier: Apache-2.0

package database

import (
	"encoding/binary"
	"strconv"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "mongodb",
	Signs: "length, no answered request, operation of a client",
	Reads: "version",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 740, Looks: LooksMongoDB, New: NewMongoDB},
	},
})

// LooksMongoDB recognizes a request by its header: length, id, no id of an answered request, an operation that clients
// send.
func LooksMongoDB(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, query, compressed, msg = 16, 2004, 2012, 2013
	if len(head) < headLen {
		// The length is below 16 MiB, so its last byte is zero.
		if len(head) > 3 && head[3] != 0 {
			return match.No
		}
		return match.Maybe
	}
	size, op := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[12:])
	known := op == query || op == compressed || op == msg
	return match.If(known && size > headLen && size < 1<<24 && binary.LittleEndian.Uint32(head[8:]) == 0)
}

// NewMongoDB returns a dissector of MongoDB: the version of the server in its answer to buildInfo, and the version of the wire protocol in its
// answer to hello (MongoDB Wire Protocol; BSON 1.1).
func NewMongoDB() dissect.Stream {
	wire := false
	return &versionStream{size: mongoSize, read: func(b []byte, sink dissect.Sink) bool { return readMongo(b, &wire, sink) }}
}

// mongoSize reads the length of a message.
func mongoSize(b []byte) int {
	const headLen, most = 16, 48 << 20
	switch {
	case len(b) < headLen:
		return 0
	case binary.LittleEndian.Uint32(b) < headLen || binary.LittleEndian.Uint32(b) > most:
		return -1
	}
	return int(binary.LittleEndian.Uint32(b))
}

// readMongo reads an answer: OP_MSG whose first section is a document, or the older OP_REPLY. wire is set once the version of the wire
// protocol was reported.
func readMongo(b []byte, wire *bool, sink dissect.Sink) (more bool) {
	const headLen, opReply, opMsg, bsonString, bsonInt32 = 16, 1, 2013, 0x02, 0x10
	at := headLen
	switch binary.LittleEndian.Uint32(b[12:]) {
	case opMsg:
		at += 5 // flags, kind of the section
	case opReply:
		at += 20 // flags, cursor, first document, number of documents
	default:
		return true // compressed
	}
	if len(b) < at+4 {
		return true
	}
	more = true
	bsonMembers(b[at+4:], func(kind byte, key, value []byte) {
		switch {
		case kind == bsonString && string(key) == "version":
			reportVersion("mongodb", value, sink)
			more = false
		case kind == bsonInt32 && string(key) == "maxWireVersion" && !*wire:
			*wire = true
			reportVersion("mongodb", []byte("wire version "+strconv.Itoa(int(binary.LittleEndian.Uint32(value)))), sink)
		}
	})
	return more
}

// bsonMembers calls fn for each member of a document that is no document itself, up to the first one of an unknown type. b begins behind the
// length of the document. A string comes without its length and its final zero.
func bsonMembers(b []byte, fn func(kind byte, key, value []byte)) {
	for len(b) > 1 && b[0] != 0 {
		kind, key := b[0], parse.CString(b[1:])
		b = b[min(len(b), len(key)+2):]
		n, known := bsonFixed(kind)
		if !known {
			if len(b) < 4 {
				return
			}
			n = int(min(binary.LittleEndian.Uint32(b), 1<<24))
			switch kind {
			case 0x02: // string: length, text
				n += 4
			case 0x03, 0x04: // document, array: the length counts itself
			case 0x05: // bytes: length, subtype
				n += 5
			default:
				return
			}
		}
		if n > len(b) || !known && n < 5 {
			return
		}
		if kind == 0x02 {
			fn(kind, key, b[4:n-1])
		} else if known {
			fn(kind, key, b[:n])
		}
		b = b[n:]
	}
}

// bsonFixed returns the length of a value whose type has a fixed one.
func bsonFixed(kind byte) (n int, ok bool) {
	switch kind {
	case 0x0a: // null
		return 0, true
	case 0x08: // boolean
		return 1, true
	case 0x10: // 32-bit integer
		return 4, true
	case 0x01, 0x09, 0x11, 0x12: // double, date, time stamp, 64-bit integer
		return 8, true
	case 0x07: // object id
		return 12, true
	case 0x13: // decimal
		return 16, true
	}
	return 0, false
}
