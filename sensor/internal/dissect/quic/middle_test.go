// SPDX-License-Identifier: Apache-2.0

package quic_test

import (
	"bytes"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
)

// TestQUICByRepeatedConnectionID checks that a repeated connection id shows QUIC, and that similar media is not mistaken for it.
func TestQUICByRepeatedConnectionID(t *testing.T) {
	short := func(first byte, id string, n byte) []byte {
		return append(append([]byte{first}, id...), bytes.Repeat([]byte{n}, 30)...)
	}
	channel := func(n byte) []byte { // TURN channel data (RFC 8656 section 12.4) with RTP
		return append([]byte{0x40, 0x01, 0, 0x2c, 0x80, 0x60, 0, n, 0, 0, 0, n}, bytes.Repeat([]byte{n}, 36)...)
	}
	for name, tc := range map[string]struct {
		ports dissect.Ports
		data  [][]byte
		want  string
	}{
		"the same id":      {dissect.Ports{Client: 50000, Server: 443}, [][]byte{short(0x41, "abcdefgh", 1), short(0x5f, "abcdefgh", 2)}, "quic"},
		"another id":       {dissect.Ports{Client: 50000, Server: 443}, [][]byte{short(0x41, "abcdefgh", 1), short(0x5f, "abcdefgi", 2)}, ""},
		"another port":     {dissect.Ports{Client: 50000, Server: 4433}, [][]byte{short(0x41, "abcdefgh", 1), short(0x5f, "abcdefgh", 2)}, ""},
		"zeros":            {dissect.Ports{Client: 50000, Server: 443}, [][]byte{short(0x41, "\x00\x00\x00\x00\x00\x00\x00\x00", 1), short(0x41, "\x00\x00\x00\x00\x00\x00\x00\x00", 2)}, ""},
		"no fixed bit":     {dissect.Ports{Client: 50000, Server: 443}, [][]byte{short(0x01, "abcdefgh", 1), short(0x01, "abcdefgh", 2)}, ""},
		"too short":        {dissect.Ports{Client: 50000, Server: 443}, [][]byte{short(0x41, "abcdefgh", 1)[:20], short(0x41, "abcdefgh", 2)[:20]}, ""},
		"media in a relay": {dissect.Ports{Client: 50000, Server: 443}, [][]byte{channel(1), channel(2), channel(3)}, ""},
		"after five":       {dissect.Ports{Client: 50000, Server: 443}, [][]byte{{1}, {1}, {1}, {1}, short(0x41, "abcdefgh", 1), short(0x41, "abcdefgh", 2)}, ""},
	} {
		if got := dissecttest.AppOf(dispatchtest.Datagrams(tc.ports, tc.data...)); got != tc.want {
			t.Errorf("%s: named %q", name, got)
		}
	}
}
