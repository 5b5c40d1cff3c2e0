// SPDX-License-Identifier: Apache-2.0

package remote

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "adb",
	Signs: "command `CNXN`, `AUTH` or `STLS` and its complement",
	Reads: "TLS after STLS",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 290, Looks: LooksADB, New: NewADB},
	},
})

// adbStream follows the messages of the Android debug bridge up to STLS, after which each side continues in TLS. (AOSP,
// packages/modules/adb/protocol.txt.)
type adbStream struct {
	tunnel tls.Upgrade
	count  [2]int
	tls    [2]bool
}

// NewADB returns a dissector of the Android debug bridge.
func NewADB() dissect.Stream { return new(adbStream) }

const (
	adbHeadLen = 24
	// maxADBMessages bounds the messages before STLS: the two greetings, keys, and a few more.
	maxADBMessages = 8
)

// LooksADB recognizes the Android debug bridge: a command, and its complement at the end of the header.
func LooksADB(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	v := match.AnyPrefix(head, "CNXN", "AUTH", "STLS")
	if v != match.Yes {
		return v
	}
	if len(head) < adbHeadLen {
		return match.Maybe
	}
	return match.If(adbMessage(head))
}

func adbMessage(b []byte) bool {
	return binary.LittleEndian.Uint32(b) == ^binary.LittleEndian.Uint32(b[20:])
}

func (a *adbStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	pos := &a.tunnel.From[dir]
	for !a.tls[dir] {
		b := head[min(*pos, len(head)):]
		if len(b) < adbHeadLen {
			return *pos + adbHeadLen
		}
		size := binary.LittleEndian.Uint32(b[12:])
		if a.count[dir] == maxADBMessages || !adbMessage(b) || size > dissect.HeadLimit {
			return 0
		}
		a.count[dir]++
		a.tls[dir] = string(b[:4]) == "STLS"
		*pos += adbHeadLen + int(size)
	}
	return a.tunnel.Feed(dir, head, final, sink)
}
