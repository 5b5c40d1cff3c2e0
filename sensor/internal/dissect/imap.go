// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// imap reads IMAP4 (RFC 9051).
type imap struct {
	login   attempt
	greeted bool
	tag     string // of the command whose reply is waited for
	tls     bool   // that command is STARTTLS
	sasl    saslExchange
}

func newIMAP() lineProtocol { return &imap{login: attempt{protocol: "imap"}} }

func looksIMAP(head []byte, _ bool, _ Ports) verdict {
	return startsWithAny(head, "* OK ", "* PREAUTH ")
}

func (m *imap) line(dir int, text []byte, sink Sink) lineAction {
	if dir == FromServer {
		return m.reply(text, sink)
	}
	if m.sasl.steps > 0 {
		m.sasl.step(text, &m.login)
		return lineNext
	}
	return m.command(text)
}

func (m *imap) command(text []byte) lineAction {
	tag, rest := word(text)
	name, args := word(rest)
	switch {
	case len(tag) > 32:
	case foldEqual(name, "login"):
		m.tag = string(tag)
		user, rest := imapString(args)
		password, _ := imapString(rest)
		m.login.name(user)
		m.login.password(password)
	case foldEqual(name, "authenticate"):
		m.tag = string(tag)
		mechanism, initial := word(args)
		m.sasl.begin(mechanism, initial, &m.login)
	case foldEqual(name, "starttls"):
		m.tag, m.tls = string(tag), true
		return linePause
	}
	return lineNext
}

func (m *imap) reply(text []byte, sink Sink) lineAction {
	tag, rest := word(text)
	if string(tag) == "*" && !m.greeted {
		m.greeted = true
		_, greeting := word(rest)
		if t := cleanText(greeting, maxBanner); t != "" {
			sink(&Banner{Protocol: "imap", Text: t})
		}
		return lineNext
	}
	if string(tag) == "+" {
		m.sasl.challenged()
		return lineNext
	}
	if m.tag == "" || string(tag) != m.tag {
		return lineNext
	}
	m.tag, m.sasl = "", saslExchange{}
	ok := foldPrefix(rest, "ok")
	switch {
	case m.tls && ok:
		return lineTLS
	case m.tls:
		m.tls = false
		return lineResume
	case ok && m.login.pending:
		m.login.result(OutcomeSuccess, sink)
		return lineStop
	}
	if !foldPrefix(rest, "no") || foldContains(rest, "[unavailable]") {
		m.login.result(OutcomeUnknown, sink) // not understood, or no password could be judged
	}
	m.login.result(OutcomeFailure, sink)
	return lineNext
}

func (m *imap) end(sink Sink) { m.login.result(OutcomeUnknown, sink) }

// imapString reads an atom or a quoted string.
func imapString(b []byte) (s, rest []byte) {
	if len(b) > 0 && b[0] == '"' {
		s, rest = quoted(b[1:])
		return s, bytes.TrimLeft(rest, " ")
	}
	return word(b)
}
