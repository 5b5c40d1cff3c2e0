// SPDX-License-Identifier: Apache-2.0

package industrial

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "s7comm-plus",
	Signs: "ISO transport on TCP, then `72`",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 520, Looks: LooksS7commPlus},
	},
})

// LooksS7comm recognizes the protocol of Siemens S7 controllers, whose messages begin with 32.
func LooksS7comm(head []byte, _ bool, _ dissect.Ports) match.Verdict { return isoData(head, 0x32) }

// LooksS7commPlus recognizes the protocol of newer S7 controllers, whose messages begin with 72.
func LooksS7commPlus(head []byte, _ bool, _ dissect.Ports) match.Verdict { return isoData(head, 0x72) }

// isoData reports whether the first data unit of ISO transport over TCP (RFC 1006, RFC 905) begins with id. A connection request or its
// confirmation may come before.
func isoData(head []byte, id byte) match.Verdict {
	const request, confirm, data, minSize, maxSetup, dataHead = 0xe0, 0xd0, 0xf0, 7, 128, 2
	for at, setup := 0, false; ; setup = true {
		b := head[at:]
		if v := match.Prefix(b, "\x03\x00"); v != match.Yes {
			return v
		}
		if len(b) < 6 {
			return match.Maybe
		}
		size, kind := int(binary.BigEndian.Uint16(b[2:])), b[5]
		switch {
		case kind == data && b[4] == dataHead && size > minSize && len(b) <= minSize:
			return match.Maybe
		case kind == data && b[4] == dataHead && size > minSize:
			return match.If(b[minSize] == id)
		case setup || kind != request && kind != confirm || size < minSize || size > maxSetup:
			return match.No
		case len(b) <= size:
			return match.Maybe
		}
		at += size
	}
}
