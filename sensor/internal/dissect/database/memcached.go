// SPDX-License-Identifier: Apache-2.0

package database

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "memcached",
	Signs: "command, as text or binary; UDP: frame header before it",
	Ports: "11211",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 670, Looks: LooksMemcached},
	},
	Datagrams: []protocol.Datagram{
		{Order: 420, Ports: []uint16{11211}, Looks: LooksMemcachedDatagram},
	},
})

const memcachedPort = 11211

// LooksMemcached recognizes a command of memcached on its port, as text or binary (memcached, doc/protocol.txt and
// doc/protocol-binary.txt): other line protocols have the same words.
func LooksMemcached(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const binaryRequest, headLen, opcodes = 0x80, 24, 0x60
	switch {
	case !ports.Has(memcachedPort):
		return match.No
	case head[0] != binaryRequest:
		return memcachedCommand(head)
	case len(head) < headLen:
		return match.Maybe
	}
	key, extras, body := uint32(binary.BigEndian.Uint16(head[2:])), uint32(head[4]), binary.BigEndian.Uint32(head[8:])
	return match.If(head[1] < opcodes && head[5] == 0 && body >= key+extras && body < 1<<20)
}

// LooksMemcachedDatagram recognizes the frame header of UDP, then a command or an answer: request, number, count, zero.
func LooksMemcachedDatagram(b []byte, _ dissect.Ports) bool {
	const headLen = 8
	if len(b) <= headLen || b[6] != 0 || b[7] != 0 || binary.BigEndian.Uint16(b[2:]) >= binary.BigEndian.Uint16(b[4:]) {
		return false
	}
	body := b[headLen:]
	return memcachedCommand(body) == match.Yes || match.AnyPrefix(body, "STAT ", "VALUE ", "END\r\n", "VERSION ", "STORED\r\n", "ERROR\r\n") == match.Yes
}

func memcachedCommand(b []byte) match.Verdict {
	return match.AnyPrefix(b, "get ", "gets ", "set ", "add ", "replace ", "append ", "prepend ", "cas ", "delete ", "incr ", "decr ", "touch ", "stats",
		"version\r\n", "flush_all", "verbosity ", "mn\r\n", "mg ", "ms ", "md ")
}
