// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "imap",
	Signs: "`* OK`, `* PREAUTH`",
	Reads: "greeting, logins, TLS after STARTTLS",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Server, Order: 100, Looks: LooksIMAP, New: NewIMAP},
	},
})

// imap reads IMAP4 (RFC 9051).
type imap struct {
	login   logins.Attempt
	greeted bool
	tag     string // of the command that waits for its reply
	tls     bool   // that command is STARTTLS
	sasl    saslExchange
}

func imapLines() lineProtocol { return &imap{login: logins.Attempt{Protocol: "imap"}} }

// NewIMAP returns a dissector of IMAP.
func NewIMAP() dissect.Stream { return &lineStream{proto: imapLines()} }

// LooksIMAP recognizes the greeting of an IMAP server.
func LooksIMAP(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.AnyPrefix(head, "* OK ", "* PREAUTH ")
}

func (m *imap) line(dir int, text []byte, sink dissect.Sink) lineAction {
	if dir == dissect.FromServer {
		return m.reply(text, sink)
	}
	if m.sasl.steps > 0 {
		m.sasl.step(text, &m.login)
		return lineNext
	}
	return m.command(text)
}

func (m *imap) command(text []byte) lineAction {
	tag, rest := parse.Word(text)
	name, args := parse.Word(rest)
	switch {
	case len(tag) > 32:
	case parse.FoldEqual(name, "login"):
		m.tag = string(tag)
		user, rest := imapString(args)
		password, _ := imapString(rest)
		m.login.Name(user)
		m.login.Password(password)
	case parse.FoldEqual(name, "authenticate"):
		m.tag = string(tag)
		mechanism, initial := parse.Word(args)
		m.sasl.begin(mechanism, initial, &m.login)
	case parse.FoldEqual(name, "starttls"):
		m.tag, m.tls = string(tag), true
		return linePause
	}
	return lineNext
}

func (m *imap) reply(text []byte, sink dissect.Sink) lineAction {
	tag, rest := parse.Word(text)
	if string(tag) == "*" && !m.greeted {
		m.greeted = true
		_, greeting := parse.Word(rest)
		if t := parse.CleanText(greeting, dissect.MaxBanner); t != "" {
			sink(&dissect.Banner{Protocol: "imap", Text: t})
		}
		return lineNext
	}
	if string(tag) == "+" {
		m.sasl.challenged(rest)
		return lineNext
	}
	if m.tag == "" || string(tag) != m.tag {
		return lineNext
	}
	m.tag, m.sasl = "", saslExchange{}
	ok := parse.FoldPrefix(rest, "ok")
	switch {
	case m.tls && ok:
		return lineTLS
	case m.tls:
		m.tls = false
		return lineResume
	case ok && m.login.Pending:
		m.login.Result(dissect.OutcomeSuccess, sink)
		return lineStop
	}
	if !parse.FoldPrefix(rest, "no") || parse.FoldContains(rest, "[unavailable]") {
		m.login.Result(dissect.OutcomeUnknown, sink) // not understood, or no password was checked
	}
	m.login.Result(dissect.OutcomeFailure, sink)
	return lineNext
}

func (m *imap) end(sink dissect.Sink) { m.login.Result(dissect.OutcomeUnknown, sink) }

// imapString reads an atom or a quoted string.
func imapString(b []byte) (s, rest []byte) {
	if len(b) > 0 && b[0] == '"' {
		s, rest = parse.Quoted(b[1:])
		return s, bytes.TrimLeft(rest, " ")
	}
	return parse.Word(b)
}
