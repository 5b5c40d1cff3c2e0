// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"encoding/base64"
)

// smtp reads SMTP and submission (RFC 5321, RFC 4954, RFC 3207).
type smtp struct {
	login attempt
	step  smtpStep
	tls   bool
}

// smtpStep is what the next line of the client is.
type smtpStep uint8

const (
	smtpCommand  smtpStep = iota
	smtpPlain             // the answer to AUTH PLAIN
	smtpUser              // the first answer to AUTH LOGIN
	smtpPassword          // the second
	smtpProof             // answers of other mechanisms
)

func newSMTP() lineProtocol { return &smtp{login: attempt{protocol: "smtp"}} }

func looksSMTPClient(head []byte, _ bool, _ Ports) verdict {
	return startsWithAny(head, "EHLO ", "HELO ", "ehlo ", "helo ")
}

func (s *smtp) line(dir int, text []byte, sink Sink) lineAction {
	if dir == FromServer {
		code, last := replyCode(text)
		if !last {
			return lineNext
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
	case smtpProof:
		s.login.proof()
	default:
		return s.command(text)
	}
	return lineNext
}

func (s *smtp) command(text []byte) lineAction {
	name, arg := word(text)
	switch {
	case foldEqual(name, "starttls"):
		s.tls = true
		return linePause
	case foldEqual(name, "data"), foldEqual(name, "bdat"):
		return lineStop
	case foldEqual(name, "auth"):
		s.auth(word(arg))
	}
	return lineNext
}

func (s *smtp) auth(mechanism, initial []byte) {
	switch {
	case foldEqual(mechanism, "plain"):
		s.step = smtpPlain
		if len(initial) > 0 {
			s.plain(initial)
		}
	case foldEqual(mechanism, "login"):
		s.step = smtpUser
		if len(initial) > 0 {
			s.user(initial)
		}
	default:
		s.step = smtpProof
		s.login.hint = ""
		s.login.proof()
	}
}

func (s *smtp) plain(text []byte) {
	s.step = smtpCommand
	s.login.plain(text)
}

func (s *smtp) user(text []byte) {
	var buf [96]byte
	s.step = smtpPassword
	s.login.name(decodeBase64(buf[:], text))
}

func (s *smtp) password(text []byte) {
	var buf [96]byte
	s.step = smtpCommand
	s.login.password(decodeBase64(buf[:], text))
	clear(buf[:])
}

func (s *smtp) reply(code int, sink Sink) lineAction {
	switch {
	case s.tls:
		s.tls = false
		if code == 220 {
			return lineTLS
		}
		return lineResume
	case code == 235:
		s.step = smtpCommand
		s.login.result(OutcomeSuccess, sink)
	case code == 535:
		s.step = smtpCommand
		s.login.result(OutcomeFailure, sink)
	case code == 454 || code == 534 || code == 538: // RFC 4954 section 6: not now, too weak, not in clear
		s.step = smtpCommand
		s.login.result(OutcomeUnknown, sink)
	case code >= 400 && s.step != smtpCommand:
		s.step = smtpCommand // the mechanism was refused
		s.login.pending = false
	}
	return lineNext
}

func (s *smtp) end(sink Sink) { s.login.result(OutcomeUnknown, sink) }

// plain takes the message of SASL PLAIN (RFC 4616): authorization identity, user and password with zero bytes between.
func (a *attempt) plain(text []byte) {
	var buf [192]byte
	_, pair, _ := bytes.Cut(decodeBase64(buf[:], text), []byte{0})
	user, password, _ := bytes.Cut(pair, []byte{0})
	a.name(user)
	a.password(password)
	clear(buf[:])
}

// decodeBase64 decodes into buf; nil if it does not fit or is no base64.
func decodeBase64(buf, text []byte) []byte {
	text = bytes.TrimRight(text, "= \t")
	if base64.RawStdEncoding.DecodedLen(len(text)) > len(buf) {
		return nil
	}
	n, err := base64.RawStdEncoding.Decode(buf, text)
	if err != nil {
		return nil
	}
	return buf[:n]
}
