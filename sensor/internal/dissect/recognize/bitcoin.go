// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "bitcoin",
	Signs: "magic number of a network, command padded with zeros",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 590, Looks: LooksBitcoin},
	},
})

// LooksBitcoin recognizes the header of a message between peers (Bitcoin developer reference, message headers): the magic number of the main
// network or of a test network, a command in small letters, padded with zeros to 12 bytes.
func LooksBitcoin(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const magicLen, commandLen = 4, 12
	v := match.AnyPrefix(head, "\xf9\xbe\xb4\xd9", "\x0b\x11\x09\x07", "\x1c\x16\x3f\x28", "\xfa\xbf\xb5\xda", "\x0a\x03\xcf\x40")
	switch {
	case v != match.Yes:
		return v
	case len(head) < magicLen+commandLen:
		return match.Maybe
	}
	command := head[magicLen : magicLen+commandLen]
	n := 0
	for n < commandLen && (command[n] >= 'a' && command[n] <= 'z' || n > 0 && command[n] >= '0' && command[n] <= '9') {
		n++
	}
	for _, c := range command[n:] {
		if c != 0 {
			return match.No
		}
	}
	return match.If(n > 0)
}
