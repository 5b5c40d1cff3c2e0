// SPDX-License-Identifier: Apache-2.0

package dissect

import "encoding/binary"

// looksSMB tells SMB 1 and 2 within a NetBIOS session message (RFC 1002 section 4.3.1), or the session request before it.
func looksSMB(head []byte, _ bool, ports Ports) verdict {
	if head[0] == 0x81 && ports.has(139) {
		return startsWithAny(head, "\x81\x00\x00\x44\x20", "\x81\x00\x00\x48\x20")
	}
	if head[0] != 0 {
		return no
	}
	if len(head) < 4 {
		return maybe
	}
	return startsWithAny(head[4:], "\xffSMB", "\xfeSMB", "\xfdSMB")
}

// looksMongoDB tells a request by its header: length, id, no id answered, an operation that clients send.
func looksMongoDB(head []byte, _ bool, _ Ports) verdict {
	const headLen, query, compressed, msg = 16, 2004, 2012, 2013
	if len(head) < headLen {
		// The length is below 16 MiB, so its last byte is zero.
		if len(head) > 3 && head[3] != 0 {
			return no
		}
		return maybe
	}
	size, op := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[12:])
	known := op == query || op == compressed || op == msg
	return yesIf(known && size > headLen && size < 1<<24 && binary.LittleEndian.Uint32(head[8:]) == 0)
}

// looksKerberosStream tells a request after its length (RFC 4120 section 7.2.2).
func looksKerberosStream(head []byte, _ bool, ports Ports) verdict {
	if head[0] != 0 || len(head) >= 2 && head[1] != 0 {
		return no
	}
	if len(head) < 20 {
		return maybe
	}
	return yesIf(looksKerberos(head[4:], ports))
}

// looksModbus tells a request where Modbus is expected: protocol 0, a length that fits, a known function.
func looksModbus(head []byte, _ bool, ports Ports) verdict {
	if !ports.has(502) {
		return no
	}
	if len(head) < 8 {
		return maybe
	}
	size := int(binary.BigEndian.Uint16(head[4:]))
	return yesIf(head[2] == 0 && head[3] == 0 && size >= 2 && size <= 254 && head[7]&0x7f > 0 && head[7]&0x7f <= 43)
}

// looksSTUNStream tells STUN and TURN over TCP by the magic cookie (RFC 8489 section 5).
func looksSTUNStream(head []byte, _ bool, _ Ports) verdict {
	if head[0] > 3 {
		return no
	}
	if len(head) < 8 {
		return maybe
	}
	return startsWith(head[4:], stunCookie)
}
