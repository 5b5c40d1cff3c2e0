// SPDX-License-Identifier: Apache-2.0

package dissecttest

import (
	"encoding/binary"
	"strings"
)

// MQTTString returns a string behind its length.
func MQTTString(s string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(s)))) + s
}

// MQTTPacket returns a packet with its fixed header.
func MQTTPacket(first byte, body string) string {
	head := []byte{first}
	n := len(body)
	for ; n >= 0x80; n >>= 7 {
		head = append(head, byte(n)|0x80)
	}
	return string(append(head, byte(n))) + body
}

// MQTTConnect returns CONNECT of version 3.1.1 with user name and password.
func MQTTConnect(user, password string) string {
	return MQTTPacket(0x10, MQTTString("MQTT")+"\x04\xc2\x00\x3c"+MQTTString("client")+MQTTString(user)+MQTTString(password))
}

// RedisArray returns a command of at most nine short arguments.
func RedisArray(args ...string) string {
	s := "*" + string(rune('0'+len(args))) + "\r\n"
	for _, a := range args {
		s += "$" + string(rune('0'+len(a))) + "\r\n" + a + "\r\n"
	}
	return s
}

// EmptyOK is a response of HTTP without a body.
const EmptyOK = "HTTP/1.1 200 OK\r\nServer: App-webs/\r\nContent-Length: 0\r\n\r\n"

// Request returns the head of an HTTP or RTSP message: start line and header fields.
func Request(line string, fields ...string) string {
	return line + "\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}

// Messages before TLS: StartTLS of LDAP and its answer, and the greeting of a MySQL server.
const (
	LDAPStartTLSRequest  = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + "1.3.6.1.4.1.1466.20037"
	LDAPStartTLSResponse = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
	MySQLGreeting        = "\x0e\x00\x00\x00\x0a5.7.1\x00abcdefg"
)

// ADBMessage returns a message of the Android debug bridge with both arguments zero.
func ADBMessage(command, payload string) string {
	b := append([]byte(command), make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, ^binary.LittleEndian.Uint32(b))
	return string(b) + payload
}
