// SPDX-License-Identifier: Apache-2.0

package tunnel_test

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/tunnel"
)

func FuzzSOCKS(f *testing.F) {
	dissecttest.FuzzStream(f, tunnel.NewSOCKS,
		[]turn{client("\x05\x01\x02"), server("\x05\x02"), client("\x01\x01a\x01b"), server("\x01\x00"), client("\x05\x01\x00\x03\x01a\x01\xbb"), server("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")},
		[]turn{client("\x04\x01\x00\x50\x00\x00\x00\x01u\x00name\x00"), server("\x00\x5a\x00\x00\x00\x00\x00\x00")})
}

// TestSOCKS4NeedsAReply checks that a session is SOCKS 4 only after a reply of a SOCKS server: other binary protocols begin like its request.
func TestSOCKS4NeedsAReply(t *testing.T) {
	request := client("\x04\x01\x00\x50\x0a\x00\x00\x01\x00")
	for _, c := range []struct{ name, reply, want string }{
		{"no reply", "", ""},
		{"granted", "\x00\x5a\x00\x00\x00\x00\x00\x00", "socks"},
		{"refused", "\x00\x5b\x00\x00\x00\x00\x00\x00", "socks"},
		{"another protocol", "\x04\x01\x00\x10\x00\x00\x00\x00", ""},
		{"unknown code", "\x00\x5e\x00\x00\x00\x00\x00\x00", ""},
	} {
		turns := []turn{request}
		if c.reply != "" {
			turns = append(turns, server(c.reply))
		}
		if got := dissecttest.AppOf(dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: 1080}, turns, 0)); got != c.want {
			t.Errorf("%s: named %q, want %q", c.name, got, c.want)
		}
	}
}
