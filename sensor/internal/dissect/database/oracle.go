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
	Name:  "oracle",
	Signs: "CONNECT: no checksums, versions, offset of the data",
	Reads: "version of the listener, in a refusal",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 630, Looks: LooksOracle, New: NewOracle},
	},
})

// LooksOracle recognizes CONNECT, the first packet of a client of Oracle's transparent network substrate: length, no checksums, type 1, a
// version and the oldest one that the client accepts, and where in the packet the connect data would be.
func LooksOracle(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const headLen, connect, oldest, newest = 28, 1, 0x100, 0x1ff
	switch {
	case len(head) > 5 && string(head[2:6]) != "\x00\x00\x01\x00":
		return match.No
	case len(head) < headLen:
		return match.Maybe
	}
	size, version, least := binary.BigEndian.Uint16(head), binary.BigEndian.Uint16(head[8:]), binary.BigEndian.Uint16(head[10:])
	data := binary.BigEndian.Uint16(head[26:])
	return match.If(head[6] == 0 && head[7] == 0 && version <= newest && least >= oldest && least <= version && data >= headLen && data <= size)
}

// NewOracle returns a dissector of Oracle: what the listener says of its version when it refuses a service.
func NewOracle() dissect.Stream { return &versionStream{size: tnsSize, read: readRefusal} }

// tnsSize reads the length of a packet.
func tnsSize(b []byte) int {
	const headLen = 8
	switch {
	case len(b) < headLen:
		return 0
	case int(binary.BigEndian.Uint16(b)) < headLen:
		return -1
	}
	return int(binary.BigEndian.Uint16(b))
}

// readRefusal reads the number of the version in the text of a refusal, "(DESCRIPTION=(TMP=)(VSNNUM=186647552)(ERR=12514)…)". Its highest
// byte is the release: 11.
func readRefusal(b []byte, sink dissect.Sink) (more bool) {
	const kind, refuse, key = 4, 4, "(vsnnum="
	if b[kind] != refuse {
		return false
	}
	if i := parse.FoldIndex(b, key); i >= 0 {
		if n, ok := parse.Number(b[i+len(key):]); ok && n>>24 > 0 {
			reportVersion("oracle", []byte("release "+strconv.Itoa(n>>24)+", VSNNUM "+strconv.Itoa(n)), sink)
		}
	}
	return false
}
