// SPDX-License-Identifier: Apache-2.0

package messaging

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "coap",
	Signs: "version 1, token, code, options to the end of the datagram",
	Ports: "5683",
	Login: protocol.LoginNone,
	Datagrams: []protocol.Datagram{
		{Order: 430, First: "\x40\x7f", Ports: []uint16{5683}, Looks: LooksCoAP},
	},
})

// LooksCoAP recognizes a message that is well-formed to its end: version 1, length of the token, a code of RFC 7252 or RFC 8132, options
// (RFC 7252 section 3). QUIC begins alike, so the table binds it to the port.
func LooksCoAP(b []byte, _ dissect.Ports) bool {
	const headLen, maxToken = 4, 8
	if len(b) < headLen || b[0]>>6 != 1 {
		return false
	}
	token, code := int(b[0]&15), b[1]
	if code == 0 {
		return token == 0 && len(b) == headLen
	}
	return token <= maxToken && len(b) >= headLen+token && coapCode(code) && coapOptions(b[headLen+token:])
}

// coapCode reports whether a code is a request, or an answer: success, fault of the client, fault of the server.
func coapCode(code byte) bool {
	class, detail := code>>5, code&31
	switch class {
	case 0:
		return detail <= 7
	case 2:
		return detail >= 1 && detail <= 5 || detail == 31
	case 4:
		return detail <= 15 || detail == 22 || detail == 29
	case 5:
		return detail <= 5 || detail == 8
	}
	return false
}

// coapOptions reports whether options end with b, or with a marker before a payload (RFC 7252 section 3.1).
func coapOptions(b []byte) bool {
	const marker, reserved = 0xff, 15
	for len(b) > 0 && b[0] != marker {
		if b[0]>>4 == reserved || b[0]&15 == reserved {
			return false
		}
		size := 1 + coapExtra(b[0]>>4) + coapExtra(b[0]&15)
		if size > len(b) {
			return false
		}
		length := int(b[0] & 15)
		switch length {
		case 13:
			length += int(b[size-1])
		case 14:
			length = 269 + int(b[size-2])<<8 + int(b[size-1])
		}
		if size+length > len(b) {
			return false
		}
		b = b[size+length:]
	}
	return len(b) != 1 // a marker without a payload is an error
}

// coapExtra returns how many bytes extend a delta or a length.
func coapExtra(nibble byte) int {
	return max(0, int(nibble)-12)
}
