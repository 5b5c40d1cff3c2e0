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
	Name:  "smtp",
	Signs: "greeting with code 220; first command of a client",
	Ports: "25, 587 for a greeting that does not name mail",
	Reads: "greeting, logins, TLS after STARTTLS",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 70, Looks: LooksSMTPClient, New: NewSMTP},
	},
})

// smtp reads SMTP and submission (RFC 5321, RFC 4954, RFC 3207).
type smtp struct {
	login     logins.Attempt
	step      smtpStep
	challenge cramChallenge
	tls       bool
}

// smtpStep is the meaning of the client's next line.
type smtpStep uint8

const (
	smtpCommand  smtpStep = iota
	smtpPlain             // the response to AUTH PLAIN
	smtpUser              // the first response to AUTH LOGIN
	smtpPassword          // the second
	smtpCRAM              // the response to a challenge of AUTH CRAM-MD5
	smtpProof             // responses of other mechanisms
)

func smtpLines() lineProtocol { return &smtp{login: logins.Attempt{Protocol: "smtp"}} }

// NewSMTP returns a dissector of SMTP.
func NewSMTP() dissect.Stream { return &lineStream{proto: smtpLines()} }

// LooksSMTPClient recognizes the first command of an SMTP client.
func LooksSMTPClient(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.AnyPrefix(head, "EHLO ", "HELO ", "ehlo ", "helo ")
}

func (s *smtp) line(dir int, text []byte, sink dissect.Sink) lineAction {
	if dir == dissect.FromServer {
		code, last := replyCode(text)
		if !last {
			return lineNext
		}
		if code == 334 && s.step == smtpCRAM {
			_, challenge := parse.Word(text)
			s.challenge.read(challenge)
		}
		return s.reply(code, sink)
	}
	switch s.step {
	case smtpPlain:
		s.plain(text)
	case smtpUser:
		s.user(text)
	case smtpPassword:
		s.password(text)
	case smtpCRAM:
		s.step = smtpCommand
		if string(text) != "*" { // the client cancels
			s.challenge.answer(text, &s.login)
		}
	case smtpProof:
		s.login.Proof()
	default:
		return s.command(text)
	}
	return lineNext
}

func (s *smtp) command(text []byte) lineAction {
	name, arg := parse.Word(text)
	switch {
	case parse.FoldEqual(name, "starttls"):
		s.tls = true
		return linePause
	case parse.FoldEqual(name, "data"), parse.FoldEqual(name, "bdat"):
		return lineStop
	case parse.FoldEqual(name, "auth"):
		s.auth(parse.Word(arg))
	}
	return lineNext
}

func (s *smtp) auth(mechanism, initial []byte) {
	switch {
	case parse.FoldEqual(mechanism, "plain"):
		s.step = smtpPlain
		if len(initial) > 0 {
			s.plain(initial)
		}
	case parse.FoldEqual(mechanism, "login"):
		s.step = smtpUser
		if len(initial) > 0 {
			s.user(initial)
		}
	case parse.FoldEqual(mechanism, "cram-md5"):
		s.step = smtpCRAM
	default:
		s.step = smtpProof
		s.login.Hint = ""
		s.login.Proof()
	}
}

func (s *smtp) plain(text []byte) {
	s.step = smtpCommand
	s.login.Plain(text)
}

func (s *smtp) user(text []byte) {
	var buf [96]byte
	s.step = smtpPassword
	s.login.Name(parse.Base64(buf[:], text))
}

func (s *smtp) password(text []byte) {
	var buf [96]byte
	s.step = smtpCommand
	s.login.Password(parse.Base64(buf[:], text))
	clear(buf[:])
}

func (s *smtp) reply(code int, sink dissect.Sink) lineAction {
	switch {
	case s.tls:
		s.tls = false
		if code == 220 {
			return lineTLS
		}
		return lineResume
	case code == 235:
		s.step = smtpCommand
		s.login.Result(dissect.OutcomeSuccess, sink)
	case code == 535:
		s.step = smtpCommand
		s.login.Result(dissect.OutcomeFailure, sink)
	case code == 454 || code == 534 || code == 538: // RFC 4954 section 6: not now, too weak, not in clear text
		s.step = smtpCommand
		s.login.Result(dissect.OutcomeUnknown, sink)
	case code >= 400 && s.step != smtpCommand:
		s.step = smtpCommand // the mechanism was refused
		s.login.Pending = false
	}
	return lineNext
}

func (s *smtp) end(sink dissect.Sink) { s.login.Result(dissect.OutcomeUnknown, sink) }
