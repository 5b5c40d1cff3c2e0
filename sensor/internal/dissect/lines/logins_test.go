// SPDX-License-Identifier: Apache-2.0

package lines_test

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/lines"
)

var lineLoginCases = map[string]dispatchtest.LoginCase{
	"ftp: wrong, then right": {
		Ports: dissect.Ports{Client: 4000, Server: 21},
		Turns: []turn{
			server("220-Welcome\r\n220 Camera FTP server (vsFTPd 2.0.5)\r\n"), client("USER root\r\n"), server("331 Password\r\n"), client("PASS nope\r\n"), server("530 Login incorrect.\r\n"),
			client("user root\r\n"), server("331 Password\r\n"), client("pass root\r\n"), server("230-Hello\r\n230 In.\r\n"), client("QUIT\r\n"),
		}, App: "ftp", Banner: "Welcome Camera FTP server (vsFTPd 2.0.5)",
		Want: []dissect.Login{dissecttest.CleartextLogin("ftp", "ot", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("ftp", "ot", dissect.OutcomeSuccess, true)},
	},
	"ftp: named by the command": {
		Ports: dissect.Ports{Client: 4000, Server: 2100},
		Turns: []turn{server("220 ready\r\n"), client("USER admin\r\n"), server("331 ?\r\n"), client("PASS 12345\r\n")},
		App:   "ftp", Banner: "ready", Want: []dissect.Login{dissecttest.CleartextLogin("ftp", "in", dissect.OutcomeUnknown, true)},
	},
	"ftp: anonymous": {
		Ports: dissect.Ports{Client: 4000, Server: 21},
		Turns: []turn{server("220 x\r\n"), client("USER anonymous\r\n"), server("331 ?\r\n"), client("PASS me@\r\n"), server("230 ok\r\n")},
		App:   "ftp", Banner: "x", Want: []dissect.Login{{Protocol: "ftp", UserHint: "us", Result: dissect.OutcomeSuccess}},
	},
	"smtp: plain refused, login accepted": {
		Ports: dissect.Ports{Client: 4000, Server: 587},
		Turns: []turn{
			server("220 mx ESMTP Postfix\r\n"), client("EHLO me\r\n"), server("250-mx\r\n250 AUTH PLAIN LOGIN\r\n"), client("AUTH PLAIN " + dissecttest.PlainAuth("joe", "x1") + "\r\n"), server("535 no\r\n"),
			client("AUTH LOGIN\r\n"), server("334 VXNlcm5hbWU6\r\n"), client(dissecttest.EncodeBase64("joe") + "\r\n"), server("334 UGFzc3dvcmQ6\r\n"), client(dissecttest.EncodeBase64("x2") + "\r\n"), server("235 ok\r\n"),
		}, App: "smtp", Banner: "mx ESMTP Postfix", Want: []dissect.Login{dissecttest.CleartextLogin("smtp", "oe", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("smtp", "oe", dissect.OutcomeSuccess, false)},
	},
	"pop3": {
		Ports: dissect.Ports{Client: 4000, Server: 110},
		Turns: []turn{server("+OK Dovecot ready.\r\n"), client("USER joe\r\nPASS a\r\n"), server("+OK\r\n-ERR no\r\n"), client("AUTH PLAIN\r\n"), server("+ \r\n"), client(dissecttest.PlainAuth("guest", "guest") + "\r\n"), server("+OK in\r\n")},
		App:   "pop3", Banner: "Dovecot ready.", Want: []dissect.Login{dissecttest.CleartextLogin("pop3", "oe", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("pop3", "st", dissect.OutcomeSuccess, true)},
	},
	"pop3: LOGIN, CRAM-MD5 and PASS, refused, then in": {
		Ports: dissect.Ports{Client: 4000, Server: 110},
		Turns: []turn{
			server("+OK Dovecot ready.\r\n"), client("AUTH LOGIN\r\n"), server("+ VXNlcm5hbWU6\r\n"), client(dissecttest.EncodeBase64("joe") + "\r\n"), server("+ UGFzc3dvcmQ6\r\n"), client(dissecttest.EncodeBase64("x1") + "\r\n"), server("-ERR no\r\n"),
			client("AUTH CRAM-MD5\r\n"), server("+ PDE4OTY+\r\n"), client(dissecttest.EncodeBase64("joe 0011") + "\r\n"), server("-ERR no\r\n"), client("USER joe\r\n"), server("+OK\r\n"), client("PASS a\r\n"), server("-ERR no\r\n"),
			client("AUTH SCRAM-SHA-1 " + dissecttest.EncodeBase64("n,,n=joe") + "\r\n"), server("+ cj14\r\n"), client("Yz1i\r\n"), server("+ dj14\r\n"), client("\r\n"), server("+OK in\r\n"),
		}, App: "pop3", Banner: "Dovecot ready.",
		Want: []dissect.Login{dissecttest.CleartextLogin("pop3", "oe", dissect.OutcomeFailure, false), {Protocol: "pop3", UserHint: "oe", Result: dissect.OutcomeFailure}, dissecttest.CleartextLogin("pop3", "oe", dissect.OutcomeFailure, false), {Protocol: "pop3", Result: dissect.OutcomeSuccess}},
	},
	"imap: no such mechanism, then CRAM-MD5, LOGIN given up, LOGIN": {
		Ports: dissect.Ports{Client: 4000, Server: 143},
		Turns: []turn{
			server("* OK hello\r\n"), client("a1 AUTHENTICATE GSSAPI\r\n"), server("a1 NO no such mechanism\r\n"), client("a2 AUTHENTICATE CRAM-MD5\r\n"), server("+ PDE4OTY+\r\n"), client(dissecttest.EncodeBase64("joe 0011") + "\r\n"), server("a2 NO wrong\r\n"),
			client("a3 AUTHENTICATE LOGIN\r\n"), server("+ VXNlcm5hbWU6\r\n"), client("*\r\n"), server("a3 BAD given up\r\n"), client("a4 AUTHENTICATE LOGIN\r\n"), server("+ VXNlcm5hbWU6\r\n"), client(dissecttest.EncodeBase64("joe") + "\r\n"),
			server("+ UGFzc3dvcmQ6\r\n"), client(dissecttest.EncodeBase64("x1") + "\r\n"), server("a4 OK in\r\n"),
		}, App: "imap", Banner: "hello", Want: []dissect.Login{{Protocol: "imap", UserHint: "oe", Result: dissect.OutcomeFailure}, dissecttest.CleartextLogin("imap", "oe", dissect.OutcomeSuccess, false)},
	},
	"pop3: no such mechanism, and given up": {
		Ports: dissect.Ports{Client: 4000, Server: 110},
		Turns: []turn{
			server("+OK ready.\r\n"), client("AUTH GSSAPI\r\n"), server("-ERR no\r\n"), client("AUTH LOGIN\r\n"), server("+ VXNlcm5hbWU6\r\n"), client("*\r\n"), server("-ERR gone\r\n"),
			client("AUTH LOGIN " + dissecttest.EncodeBase64("joe") + "\r\n"), server("+ UGFzc3dvcmQ6\r\n"), client(dissecttest.EncodeBase64("x1") + "\r\n"), server("+OK in\r\n"),
		}, App: "pop3", Banner: "ready.", Want: []dissect.Login{dissecttest.CleartextLogin("pop3", "oe", dissect.OutcomeSuccess, false)},
	},
	"imap": {
		Ports: dissect.Ports{Client: 4000, Server: 143},
		Turns: []turn{server("* OK [CAPABILITY IMAP4rev1] hello\r\n"), client("a1 LOGIN \"joe\" \"p w\"\r\n"), server("a1 NO wrong\r\n"), client("a2 AUTHENTICATE PLAIN\r\n"), server("+\r\n"), client(dissecttest.PlainAuth("joe", "y") + "\r\n"), server("* CAPABILITY\r\na2 OK in\r\n")},
		App:   "imap", Banner: "[CAPABILITY IMAP4rev1] hello", Want: []dissect.Login{dissecttest.CleartextLogin("imap", "oe", dissect.OutcomeFailure, false), dissecttest.CleartextLogin("imap", "oe", dissect.OutcomeSuccess, false)},
	},
}

func TestLogins(t *testing.T) { dispatchtest.CheckLogins(t, lineLoginCases) }

func FuzzGreeting(f *testing.F) {
	dissecttest.FuzzStream(f, func() dissect.Stream { return lines.NewGreeting(dissect.Ports{}) },
		lineLoginCases["ftp: wrong, then right"].Turns, lineLoginCases["smtp: plain refused, login accepted"].Turns)
}

func FuzzPOP3(f *testing.F) {
	dissecttest.FuzzStream(f, lines.NewPOP3, lineLoginCases["pop3"].Turns)
}

func FuzzIMAP(f *testing.F) {
	dissecttest.FuzzStream(f, lines.NewIMAP, lineLoginCases["imap"].Turns)
}
