// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "winbox",
	Signs: "user name and key of a login; message that begins with `M2`",
	Ports: "8291",
	Reads: "user name",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 680, Looks: LooksWinbox, New: NewWinbox},
	},
})

// LooksWinbox recognizes the first message to a router of MikroTik on the port of Winbox: the user name and public key of a login
// (RouterOS 6.45 and later), or a message that begins with M2 (before).
func LooksWinbox(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	const login, message, headLen, keyLen = 6, 1, 2, 33
	switch {
	case !ports.Has(8291):
		return match.No
	case len(head) < 6:
		return match.Maybe
	case head[1] == message:
		return match.If(string(head[4:6]) == "M2" && binary.BigEndian.Uint16(head[2:]) >= headLen)
	case head[1] != login || head[0] <= keyLen:
		return match.No
	case len(head) < headLen+int(head[0]):
		return match.Maybe
	}
	name := head[headLen : headLen+int(head[0])-keyLen] // with a zero behind it
	return match.If(name[len(name)-1] == 0 && parse.IsPlain(name[:len(name)-1]))
}

// winboxStream reads the user name of a login. Its result is encrypted.
type winboxStream struct{}

// NewWinbox returns a dissector of Winbox.
func NewWinbox() dissect.Stream { return winboxStream{} }

// Feed reads the first message of the client, which LooksWinbox has checked; see dissect.Stream.
func (winboxStream) Feed(dir int, head []byte, _ bool, sink dissect.Sink) int {
	const login, headLen, keyLen = 6, 2, 33
	if dir == dissect.FromClient && len(head) > headLen && head[1] == login && int(head[0]) > keyLen {
		name := head[headLen:min(len(head), headLen+int(head[0])-keyLen)]
		sink(&dissect.Login{Protocol: "winbox", UserHint: logins.Hint(parse.CString(name))})
	}
	return 0
}
