// SPDX-License-Identifier: Apache-2.0

package ssh_test

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/ssh"
)

func TestSSHLines(t *testing.T) {
	for _, c := range []struct {
		name   string
		turns  []turn
		want   []dissect.SSHBanner
		offers int
	}{
		{"line end of one character", []turn{client("SSH-2.0-C\n" + ssh.Offer("none"))}, []dissect.SSHBanner{{Server: false, Line: "SSH-2.0-C"}}, 1},
		{"SSH 1", []turn{server("SSH-1.5-S\n"), client("SSH-1.5-C\n\x00\x00\x00\x10packet of SSH 1")}, []dissect.SSHBanner{{Server: true, Line: "SSH-1.5-S"}, {Server: false, Line: "SSH-1.5-C"}}, 0},
		{"client of SSH 1 at a server of both", []turn{server("SSH-1.99-S\r\n"), client("SSH-1.5-C\r\n"), server("\x00\x00\x01\x0bpublic key of SSH 1")},
			[]dissect.SSHBanner{{Server: true, Line: "SSH-1.99-S"}, {Server: false, Line: "SSH-1.5-C"}}, 0},
		{"both speak SSH 2", []turn{server("SSH-1.99-S\r\n"), client("SSH-2.0-C\r\n" + ssh.Offer("none")), server(ssh.Offer("none"))},
			[]dissect.SSHBanner{{Server: true, Line: "SSH-1.99-S"}, {Server: false, Line: "SSH-2.0-C"}}, 2},
		{"line without end", []turn{client("SSH-2.0-" + strings.Repeat("x", 2000))}, nil, 0},
		{"packet too long", []turn{client("SSH-2.0-C\r\n\x7f\xff\xff\xff\x04\x14")}, []dissect.SSHBanner{{Server: false, Line: "SSH-2.0-C"}}, 0},
		{"padding longer than the packet", []turn{client("SSH-2.0-C\r\n\x00\x00\x00\x08\xff\x14......" + ssh.Offer("none"))}, []dissect.SSHBanner{{Server: false, Line: "SSH-2.0-C"}}, 0},
		{"name list is cut", []turn{client("SSH-2.0-C\r\n" + ssh.Packet("\x14"+strings.Repeat("c", 16)+"\x00\x00\x00\x09kex"))}, []dissect.SSHBanner{{Server: false, Line: "SSH-2.0-C"}}, 0},
		{"second offer", []turn{client("SSH-2.0-C\r\n" + ssh.Offer("none") + ssh.Offer("zlib"))}, []dissect.SSHBanner{{Server: false, Line: "SSH-2.0-C"}}, 1},
	} {
		facts := dispatchtest.PlayCut(t, dissect.Ports{}, c.turns)
		if got := dissecttest.FactsOf[dissect.SSHBanner](facts); !slices.Equal(got, c.want) {
			t.Errorf("%s: banners %+v", c.name, got)
		}
		if got := dissecttest.FactsOf[dissect.SSHKexInit](facts); len(got) != c.offers {
			t.Errorf("%s: offers %+v", c.name, got)
		}
	}
}
