// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "nntp",
	Signs: "code of the greeting",
	Ports: "119, 433",
	Reads: "greeting, logins, TLS after STARTTLS",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Server, Order: 340, Looks: LooksNNTP, New: NewNNTP},
	},
})

// nntp reads the login (RFC 4643) and the change to TLS (RFC 4642) of NNTP (RFC 3977).
type nntp struct {
	login   logins.Attempt
	greeted bool
	tls     bool
}

// NewNNTP returns a dissector of NNTP.
func NewNNTP() dissect.Stream {
	return &lineStream{proto: &nntp{login: logins.Attempt{Protocol: "nntp"}}}
}

// LooksNNTP accepts the greeting only on the ports of NNTP: a number alone proves too little.
func LooksNNTP(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if !ports.Has(119, 433) {
		return match.No
	}
	return match.AnyPrefix(head, "200 ", "201 ")
}

func (n *nntp) line(dir int, text []byte, sink dissect.Sink) lineAction {
	if dir == dissect.FromClient {
		return n.command(text)
	}
	code, _ := replyCode(text)
	switch {
	case !n.greeted:
		n.greeted = true
		if len(text) > 4 {
			sink(&dissect.Banner{Protocol: "nntp", Text: parse.CleanText(text[4:], dissect.MaxBanner)})
		}
	case n.tls:
		n.tls = false
		if code == 382 {
			return lineTLS
		}
		return lineResume
	case code == 281:
		n.login.Result(dissect.OutcomeSuccess, sink)
	case code == 481 || code == 482 || code == 502:
		n.login.Result(dissect.OutcomeFailure, sink)
	}
	return lineNext
}

// command stops at the first command about articles: the replies are long, and may look like anything.
func (n *nntp) command(text []byte) lineAction {
	name, arg := parse.Word(text)
	switch {
	case parse.FoldEqual(name, "starttls"):
		n.tls = true
		return linePause
	case parse.FoldEqual(name, "authinfo"):
		kind, value := parse.Word(arg)
		if parse.FoldEqual(kind, "user") {
			n.login.Name(value)
		} else if parse.FoldEqual(kind, "pass") {
			n.login.Password(value)
		}
	case !parse.FoldEqual(name, "capabilities") && !parse.FoldEqual(name, "mode") && !parse.FoldEqual(name, "date"):
		return lineStop
	}
	return lineNext
}

func (n *nntp) end(sink dissect.Sink) { n.login.Result(dissect.OutcomeUnknown, sink) }
