// SPDX-License-Identifier: Apache-2.0

package lan

import (
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
)

// SNMPMessage is a message with one variable: version 0 or 1, community, kind, request-id, error-status.
func SNMPMessage(version byte, community string, pdu byte, id, status byte) string {
	element := func(tag byte, parts ...string) string {
		body := ""
		for _, p := range parts {
			body += p
		}
		return string([]byte{tag, byte(len(body))}) + body
	}
	integer := func(v byte) string { return element(2, string([]byte{v})) }
	name := element(6, "\x2b\x06\x01\x02\x01\x01\x05\x00")
	return element(0x30, integer(version), element(4, community),
		element(pdu, integer(id), integer(status), integer(0), element(0x30, element(0x30, name, "\x05\x00"))))
}

func FuzzSNMP(f *testing.F) {
	f.Add([]byte(SNMPMessage(1, "public", 0xa0, 7, 0)))
	f.Add([]byte("\x30\x84\x00\x00\x00\x03\x02\x01\x01"))
	mutate.Fuzz(f, func(t *testing.T, b []byte) {
		if m, ok := readSNMP(b); ok && len(m.community) > len(b) {
			t.Fatalf("%+v", m)
		}
		LooksSNMP(b, dissect.Ports{Client: 1, Server: 161})
	})
}
