// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"encoding/binary"
)

// looksMQTT tells CONNECT by the protocol name (MQTT 3.1.1 section 3.1.2.1).
func looksMQTT(head []byte, _ bool, _ Ports) verdict {
	if head[0] != 0x10 {
		return no
	}
	at := 1
	for ; at < len(head) && at <= 4 && head[at]&0x80 != 0; at++ {
	}
	switch at++; {
	case at > 5:
		return no
	case at >= len(head):
		return maybe
	}
	return startsWithAny(head[at:], "\x00\x04MQTT", "\x00\x06MQIsdp")
}

// looksMQTTServer takes CONNACK only where MQTT is expected: four bytes say too little.
func looksMQTTServer(head []byte, _ bool, ports Ports) verdict {
	if !ports.has(1883) {
		return no
	}
	return startsWithAny(head, "\x20\x02\x00", "\x20\x02\x01")
}

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

// looksMySQL tells the greeting of the server: a packet with number 0, protocol 10, a version in text (MySQL internals,
// Protocol::HandshakeV10); or an error packet where MySQL is expected.
func looksMySQL(head []byte, _ bool, ports Ports) verdict {
	const headLen, maxVersion = 5, 64
	if len(head) < headLen {
		return maybe
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	switch {
	case head[3] != 0 || size < 8 || size > 512:
		return no
	case head[4] == 0xff:
		return yesIf(ports.has(3306))
	case head[4] != 10:
		return no
	}
	version := head[headLen:min(len(head), headLen+maxVersion)]
	end := bytes.IndexByte(version, 0)
	switch {
	case end > 0:
		return yesIf(isPlain(version[:end]) && version[0] >= '0' && version[0] <= '9')
	case end < 0 && len(version) < maxVersion && isPlain(version):
		return maybe
	}
	return no
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

// looksLDAP tells a bind, a search or StartTLS (RFC 4511 section 4): a sequence of a message number and an operation.
func looksLDAP(head []byte, _ bool, _ Ports) verdict {
	if head[0] != 0x30 {
		return no
	}
	body, ok := berBody(head)
	switch {
	case !ok && len(head) < 6:
		return maybe
	case !ok:
		return no
	case len(body) < 2:
		return maybe
	case body[0] != 2 || body[1] == 0 || body[1] > 4:
		return no
	case len(body) <= 2+int(body[1]):
		return maybe
	}
	const bind, search, extended = 0x60, 0x63, 0x77
	op := body[2+int(body[1]):]
	if op[0] != bind && op[0] != search && op[0] != extended {
		return no
	}
	body, ok = berBody(op)
	switch {
	case len(op) < 7 && !ok, ok && len(body) < 2:
		return maybe
	case !ok:
		return no
	case op[0] == bind:
		return startsWithAny(body, "\x02\x01\x03", "\x02\x01\x02")
	case op[0] == search:
		return yesIf(body[0] == 4)
	}
	return yesIf(body[0] == 0x80)
}

// berBody is what follows tag and length, as far as it is there; ok is false if the length is not there or not of a
// usual form.
func berBody(b []byte) (body []byte, ok bool) {
	if len(b) < 2 {
		return nil, false
	}
	n := 2
	if b[1]&0x80 != 0 {
		n += int(b[1] & 0x7f)
	}
	if n == 2 && b[1] == 0x80 || n > 6 || len(b) < n {
		return nil, false
	}
	return b[n:], true
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

// looksADB tells the Android debug bridge: a command, and its complement at the end of the header.
func looksADB(head []byte, _ bool, _ Ports) verdict {
	const headLen = 24
	v := startsWithAny(head, "CNXN", "AUTH", "STLS")
	if v != yes {
		return v
	}
	if len(head) < headLen {
		return maybe
	}
	return yesIf(binary.LittleEndian.Uint32(head) == ^binary.LittleEndian.Uint32(head[20:]))
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
