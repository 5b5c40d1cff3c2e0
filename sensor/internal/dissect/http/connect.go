// SPDX-License-Identifier: Apache-2.0

package http

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/lines"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/ssh"
	"stillwatch/sensor/internal/dissect/tls"
)

// tunnel reads what a proxy relays after CONNECT. from holds, for each direction, the offset at which it begins. TLS
// leaves the session its name; another protocol renames it.
type tunnel struct {
	from    [2]int
	stopped bool
	inner   dissect.Stream
}

// tunneled is a protocol that is recognized within a tunnel. TLS has no name here: the session keeps the name of HTTP.
type tunneled struct {
	name  string
	looks func(head []byte, final bool, ports dissect.Ports) match.Verdict
	open  func() dissect.Stream
}

// tunneledProtocols lists the protocols that are recognized in a tunnel, by what the client sends first and by what the
// server sends first.
var tunneledProtocols = [2][]tunneled{
	dissect.FromClient: {
		{"", tls.Looks, tls.New},
		{"ssh", ssh.Looks, ssh.New},
		{"smtp", lines.LooksSMTPClient, lines.NewSMTP},
	},
	dissect.FromServer: {
		{"", tls.Looks, tls.New},
		{"ssh", ssh.Looks, ssh.New},
		{"", lines.LooksGreeting, func() dissect.Stream { return lines.NewGreeting(dissect.Ports{}) }},
		{"pop3", lines.LooksPOP3, lines.NewPOP3},
		{"imap", lines.LooksIMAP, lines.NewIMAP},
	},
}

func (t *tunnel) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	return tls.FeedFrom((*tunneledStream)(t), t.from[dir], dir, head, final, sink)
}

// tunneledStream is the stream within a tunnel.
type tunneledStream tunnel

func (t *tunneledStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	if t.inner == nil && !t.stopped {
		p, v := matchTunneled(dir, head, final)
		switch v {
		case match.Maybe:
			return len(head) + 1
		case match.No:
			t.stopped = true
			return 0
		}
		t.inner = p.open()
		if p.name != "" {
			sink(&dissect.AppID{Name: p.name})
		}
	}
	if t.inner == nil {
		return 0
	}
	return t.inner.Feed(dir, head, final, sink)
}

// matchTunneled returns the first protocol that does not rule itself out.
func matchTunneled(dir int, head []byte, final bool) (*tunneled, match.Verdict) {
	for i := range tunneledProtocols[dir] {
		p := &tunneledProtocols[dir][i]
		if v := p.looks(head, final, dissect.Ports{}); v == match.Yes || v == match.Maybe && !final {
			return p, v
		}
	}
	return nil, match.No
}
