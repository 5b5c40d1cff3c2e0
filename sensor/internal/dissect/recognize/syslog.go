// SPDX-License-Identifier: Apache-2.0

package recognize

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "syslog",
	Signs: "priority, then a version or a month",
	Ports: "514 without them; TCP: 514, 601, 1514",
	Login: protocol.LoginNone,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 470, Looks: LooksSyslogStream},
	},
	Datagrams: []protocol.Datagram{
		{Order: 620, First: "<<", Looks: LooksSyslog},
	},
})

// LooksSyslog recognizes a message by its priority (RFC 3164, RFC 5424). On other ports than its own a version or a
// month must follow.
func LooksSyslog(b []byte, ports dissect.Ports) bool {
	if len(b) < 8 || b[0] != '<' {
		return false
	}
	priority, ok := parse.Number(b[1:])
	i := bytes.IndexByte(b[:6], '>')
	if !ok || priority > 191 || i < 2 || i+5 > len(b) {
		return false
	}
	rest := b[i+1:]
	if ports.Has(514) {
		return parse.IsPlain(rest[:4])
	}
	if rest[0] == '1' && rest[1] == ' ' {
		return rest[2] == '-' || rest[2] == '2'
	}
	return rest[3] == ' ' && bytes.Contains([]byte("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"), rest[:3])
}

// LooksSyslogStream recognizes messages with priority and version, with or without a length before them (RFC 6587).
func LooksSyslogStream(head []byte, final bool, ports dissect.Ports) match.Verdict {
	if !ports.Has(514, 601, 1514) || head[0] != '<' && (head[0] < '1' || head[0] > '9') {
		return match.No
	}
	i := bytes.IndexByte(head[:min(len(head), 8)], '<')
	switch {
	case i < 0 && len(head) < 8:
		return match.Maybe
	case i < 0:
		return match.No
	case len(head) < i+24 && !final:
		return match.Maybe
	}
	return match.If(LooksSyslog(head[i:], ports))
}
