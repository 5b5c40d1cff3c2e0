// SPDX-License-Identifier: Apache-2.0

package dissect

import "encoding/binary"

const stunCookie = "\x21\x12\xa4\x42"

// looksSTUN tells the magic cookie and a length that fits (RFC 8489 section 5).
func looksSTUN(b []byte, _ Ports) bool {
	return len(b) >= 20 && b[0] < 0x40 && string(b[4:8]) == stunCookie &&
		int(binary.BigEndian.Uint16(b[2:])) == len(b)-20 && len(b)%4 == 0
}

// looksRADIUS walks over the attributes: they must fill the packet (RFC 2865 section 3).
func looksRADIUS(b []byte, _ Ports) bool {
	const headLen = 20
	if len(b) < headLen || int(binary.BigEndian.Uint16(b[2:])) > len(b) {
		return false
	}
	if b[0] == 0 || b[0] > 13 && b[0] < 40 || b[0] > 45 {
		return false
	}
	size := int(binary.BigEndian.Uint16(b[2:]))
	at := headLen
	for at+2 <= size && b[at+1] >= 2 {
		at += int(b[at+1])
	}
	return size >= headLen && at == size
}

// looksKerberos tells the application tags of requests, answers and errors, and the version number within (RFC 4120
// section 5.4.1).
func looksKerberos(b []byte, _ Ports) bool {
	const asReq, asRep, tgsReq, tgsRep, krbError = 0x6a, 0x6b, 0x6c, 0x6d, 0x7e
	if len(b) < 16 {
		return false
	}
	switch b[0] {
	case asReq, asRep, tgsReq, tgsRep, krbError:
	default:
		return false
	}
	seq, ok := berBody(b)
	if !ok || len(seq) < 7 || seq[0] != 0x30 {
		return false
	}
	fields, ok := berBody(seq)
	return ok && len(fields) >= 5 && (fields[0] == 0xa0 || fields[0] == 0xa1) && string(fields[1:5]) == "\x03\x02\x01\x05"
}

// looksRTCP walks over a compound packet: reports and descriptions whose lengths fill the datagram (RFC 3550 section 6.1).
func looksRTCP(b []byte, _ Ports) bool {
	const senderReport, application = 200, 204
	if len(b) < 8 || b[1] != senderReport && b[1] != senderReport+1 {
		return false
	}
	for len(b) >= 4 {
		size := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if b[0]>>6 != 2 || b[1] < senderReport || b[1] > application+3 || size > len(b) {
			return false
		}
		b = b[size:]
	}
	return len(b) == 0
}

// looksWireGuard tells the messages of a handshake by their fixed sizes (WireGuard whitepaper, section 5.4).
func looksWireGuard(b []byte, _ Ports) bool {
	switch {
	case len(b) == 148:
		return string(b[:4]) == "\x01\x00\x00\x00"
	case len(b) == 92:
		return string(b[:4]) == "\x02\x00\x00\x00"
	}
	return false
}

// looksIKE tells the header of IKE 1 and 2 (RFC 7296 section 3.1), with the marker of port 4500 before it.
func looksIKE(b []byte, _ Ports) bool {
	if len(b) > 4 && string(b[:4]) == "\x00\x00\x00\x00" {
		b = b[4:]
	}
	return len(b) >= 28 && (b[17] == 0x10 || b[17] == 0x20) && int(binary.BigEndian.Uint32(b[24:])) == len(b)
}

// looksTuya tells the broadcasts of Tuya devices by the marks at both ends.
func looksTuya(b []byte, _ Ports) bool {
	return len(b) >= 20 && string(b[:4]) == "\x00\x00\x55\xaa" && string(b[len(b)-4:]) == "\x00\x00\xaa\x55"
}

// looksPPPP tells the peer-to-peer protocol of cheap cameras: f1, a type, the length of the rest.
func looksPPPP(b []byte, _ Ports) bool {
	return len(b) >= 4 && b[0] == 0xf1 && int(binary.BigEndian.Uint16(b[2:])) == len(b)-4
}
