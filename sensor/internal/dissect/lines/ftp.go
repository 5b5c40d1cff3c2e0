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
	Name:  "ftp",
	Signs: "greeting with code 220; first command of a client",
	Ports: "21 for a command, and for a greeting that does not name FTP",
	Reads: "greeting, logins, TLS after AUTH TLS",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 80, Looks: LooksFTPClient, New: NewFTP},
		{From: protocol.Server, Order: 60, Looks: LooksGreeting, Names: []string{"ftp", "smtp"}, NewFor: NewGreeting},
	},
})

// ftp reads the control connection of FTP (RFC 959, RFC 4217).
type ftp struct {
	login logins.Attempt
	tls   bool // AUTH TLS was requested
}

func ftpLines() lineProtocol { return &ftp{login: logins.Attempt{Protocol: "ftp"}} }

// NewFTP returns a dissector of FTP.
func NewFTP() dissect.Stream { return &lineStream{proto: ftpLines()} }

// LooksFTPClient accepts a client that speaks before its server only on the port of FTP: POP3 and IRC have the same
// command.
func LooksFTPClient(head []byte, _ bool, ports dissect.Ports) match.Verdict {
	if !ports.Has(21) {
		return match.No
	}
	return match.AnyPrefix(head, "USER ", "AUTH TLS", "AUTH SSL")
}

func (f *ftp) line(dir int, text []byte, sink dissect.Sink) lineAction {
	if dir == dissect.FromClient {
		return f.command(text)
	}
	code, last := replyCode(text)
	if !last {
		return lineNext
	}
	return f.reply(code, sink)
}

func (f *ftp) command(text []byte) lineAction {
	name, arg := parse.Word(text)
	switch {
	case parse.FoldEqual(name, "user"):
		f.login.Name(arg)
	case parse.FoldEqual(name, "pass"):
		anonymous := parse.FoldEqual(f.login.User, "anonymous") || parse.FoldEqual(f.login.User, "ftp")
		f.login.Password(arg)
		if anonymous {
			f.login.Clear, f.login.Defaults = false, false // RFC 1635: no credentials
		}
	case parse.FoldEqual(name, "auth") && (parse.FoldEqual(arg, "tls") || parse.FoldEqual(arg, "ssl") || parse.FoldEqual(arg, "tls-c")):
		f.tls = true
		return linePause
	}
	return lineNext
}

func (f *ftp) reply(code int, sink dissect.Sink) lineAction {
	switch {
	case f.tls:
		f.tls = false
		if code == 234 || code == 334 {
			return lineTLS
		}
		return lineResume
	case code == 230 || code == 202:
		f.login.Result(dissect.OutcomeSuccess, sink)
	case code == 530 || code == 430:
		f.login.Result(dissect.OutcomeFailure, sink)
	case code == 421 || code == 503 || code == 532: // busy, out of order, account needed: no password was checked
		f.login.Result(dissect.OutcomeUnknown, sink)
	}
	return lineNext
}

func (f *ftp) end(sink dissect.Sink) { f.login.Result(dissect.OutcomeUnknown, sink) }
