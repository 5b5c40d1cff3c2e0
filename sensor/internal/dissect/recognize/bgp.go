// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"encoding/binary"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "bgp",
	Signs: "16 bytes `ff`, length, type",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 580, Looks: LooksBGP},
	},
})

// LooksBGP recognizes the header of a message (RFC 4271 section 4.1): 16 bytes of ones, length, type.
func LooksBGP(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const marker, headLen, longest, kinds = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 19, 4096, 5
	if v := match.Prefix(head, marker); v != match.Yes {
		return v
	}
	if len(head) < headLen {
		return match.Maybe
	}
	size, kind := binary.BigEndian.Uint16(head[16:]), head[18]
	return match.If(size >= headLen && size <= longest && kind > 0 && kind <= kinds)
}
