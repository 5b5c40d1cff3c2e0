// SPDX-License-Identifier: Apache-2.0

package database

import (
	"encoding/binary"
	"strconv"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "mssql",
	Signs: "PRELOGIN with a version, LOGIN7; batch or call with headers",
	Reads: "version",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 620, Looks: LooksMSSQL, New: NewMSSQL},
	},
})

// LooksMSSQL recognizes the first message of a client of Microsoft SQL Server: PRELOGIN, whose first option is the version, or LOGIN7; and in
// a session that was captured from its middle a batch or a procedure call, by the headers before it (MS-TDS 2.2.3.1, 2.2.5.3, 2.2.6.4,
// 2.2.6.5).
func LooksMSSQL(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const batch, call, login7, prelogin, headLen, need, statusBits = 0x01, 0x03, 0x10, 0x12, 8, 18, 0x1f
	kind := head[0]
	switch {
	case kind != batch && kind != call && kind != login7 && kind != prelogin, len(head) > 1 && head[1]&^statusBits != 0:
		return match.No
	case len(head) < need:
		return match.Maybe
	}
	size := int(binary.BigEndian.Uint16(head[2:]))
	if size < need || head[7] != 0 {
		return match.No
	}
	switch b := head[headLen:]; kind {
	case prelogin:
		const version, versionLen = 0, 6
		return match.If(b[0] == version && int(binary.BigEndian.Uint16(b[1:])) < size-headLen && binary.BigEndian.Uint16(b[3:]) == versionLen)
	case login7:
		return match.If(int(binary.LittleEndian.Uint32(b)) == size-headLen && b[7] >= 0x70 && b[7] <= 0x74)
	default: // the length of all headers, that of the first, and its type: transaction
		return match.If(string(b[:10]) == "\x16\x00\x00\x00\x12\x00\x00\x00\x02\x00")
	}
}

// NewMSSQL returns a dissector of Microsoft SQL Server: the server's answer to PRELOGIN has its version.
func NewMSSQL() dissect.Stream { return &versionStream{size: tdsSize, read: readPrelogin} }

// tdsSize reads the length of a packet (MS-TDS 2.2.3.1).
func tdsSize(b []byte) int {
	const headLen, reply = 8, 4
	switch {
	case len(b) < headLen:
		return 0
	case b[0] != reply || int(binary.BigEndian.Uint16(b[2:])) < headLen:
		return -1
	}
	return int(binary.BigEndian.Uint16(b[2:]))
}

// readPrelogin reads the version of the answer to PRELOGIN (MS-TDS 2.2.6.5): its first option, with two bytes for major and minor, and two
// for the build.
func readPrelogin(b []byte, sink dissect.Sink) (more bool) {
	const headLen, version, versionLen = 8, 0, 6
	body := b[headLen:]
	if len(body) < 5 || body[0] != version || binary.BigEndian.Uint16(body[3:]) != versionLen {
		return false
	}
	if at := int(binary.BigEndian.Uint16(body[1:])); at+4 <= len(body) {
		v := body[at:]
		text := strconv.AppendInt(nil, int64(v[0]), 10)
		text = strconv.AppendInt(append(text, '.'), int64(v[1]), 10)
		text = strconv.AppendInt(append(text, '.'), int64(binary.BigEndian.Uint16(v[2:])), 10)
		reportVersion("mssql", text, sink)
	}
	return false
}
