// SPDX-License-Identifier: Apache-2.0

package dispatch

import (
	"strings"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/dissect"
)

// FuzzDatagramOrder checks that the entries for a first byte find the same protocol as all entries. It runs every recognizer of datagrams.
func FuzzDatagramOrder(f *testing.F) {
	ports := []uint16{40000, 53, 67, 123, 137, 161, 443, 500, 514, 546, 1194, 1812, 1900, 5050, 5060, 5353, 5355, 32100, 37810}
	for i, s := range []string{
		"M-SEARCH * HTTP/1.1\r\n", "NOTIFY * HTTP/1.1\r\nusn: x", "HTTP/1.1 200 OK\r\nusn: x", "SIP/2.0 200 OK\r\n", "OPTIONS sip:a SIP/2.0\r\n", "\r\n\r\n", "hello", "", "\nOPTIONS sip:a SIP/2.0\r\n",
		"\xef\xbb\xbf<a schemas.xmlsoap.org/ws/2005/04/discovery", "<Probe><Uuid>", "<34>Oct 11 22:14:15 x", "\x00\x01name\x00octet\x00",
		"d1:ad2:id20:e", "\x6a\x0e\x30\x0c\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a", "\x01\x00\x00\x00" + strings.Repeat("x", 144), "\x38aaaaaaaa\x00\x00\x00\x00\x00",
		"\x80\xc8\x00\x01aaaa", "\xf1\x30\x00\x00", "\x00\x00\x55\xaa123456789012\x00\x00\xaa\x55", "\xff\x01\x00\x00" + strings.Repeat("\x00", 10) + "\xfa\x05\x00\x00\x00\x00",
		"\x20\x00\x00\x00DHIP", "\xa3\x01\x00\x01" + strings.Repeat("x", 30), "\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		f.Add([]byte(s), ports[i%len(ports)])
	}
	for _, s := range datagramSamples {
		f.Add([]byte(s.data), s.port)
	}
	mutate.Fuzz(f, func(t *testing.T, b []byte, port uint16) {
		p := dissect.Ports{Client: 40000, Server: port}
		want, got := "", ""
		for i := range datagramProtocols {
			if id := &datagramProtocols[i]; id.Fits(b, p) && want == "" {
				want = id.app.Name
			}
		}
		var c Conversation
		c.Reset(p, nil)
		c.Datagram(dissect.FromClient, b, func(x dissect.Fact) {
			if id, ok := x.(*dissect.AppID); ok && got == "" {
				got = id.Name
			}
		})
		if got != want {
			t.Fatalf("%q to %d: %q, of all %q", b, p.Server, got, want)
		}
	})
}
