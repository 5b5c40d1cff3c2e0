// SPDX-License-Identifier: Apache-2.0

package dissect

// ftp reads the control connection of FTP (RFC 959, RFC 4217).
type ftp struct {
	login attempt
	tls   bool // AUTH TLS was asked for
}

func newFTP() lineProtocol { return &ftp{login: attempt{protocol: "ftp"}} }

// looksFTPClient takes a client that is heard before its server only where FTP is expected: POP3 and IRC have the command as
// well.
func looksFTPClient(head []byte, _ bool, ports Ports) verdict {
	if !ports.has(21) {
		return no
	}
	return startsWithAny(head, "USER ", "AUTH TLS", "AUTH SSL")
}

func (f *ftp) line(dir int, text []byte, sink Sink) lineAction {
	if dir == FromClient {
		return f.command(text)
	}
	code, last := replyCode(text)
	if !last {
		return lineNext
	}
	return f.reply(code, sink)
}

func (f *ftp) command(text []byte) lineAction {
	name, arg := word(text)
	switch {
	case foldEqual(name, "user"):
		f.login.name(arg)
	case foldEqual(name, "pass"):
		anonymous := foldEqual(f.login.user, "anonymous") || foldEqual(f.login.user, "ftp")
		f.login.password(arg)
		if anonymous {
			f.login.clear, f.login.defaults = false, false // RFC 1635: no credentials
		}
	case foldEqual(name, "auth") && (foldEqual(arg, "tls") || foldEqual(arg, "ssl") || foldEqual(arg, "tls-c")):
		f.tls = true
		return linePause
	}
	return lineNext
}

func (f *ftp) reply(code int, sink Sink) lineAction {
	switch {
	case f.tls:
		f.tls = false
		if code == 234 || code == 334 {
			return lineTLS
		}
		return lineResume
	case code == 230 || code == 202:
		f.login.result(OutcomeSuccess, sink)
	case code == 530 || code == 430:
		f.login.result(OutcomeFailure, sink)
	case code == 421 || code == 503 || code == 532: // busy, out of order, an account is wanted: no password was judged
		f.login.result(OutcomeUnknown, sink)
	}
	return lineNext
}

func (f *ftp) end(sink Sink) { f.login.result(OutcomeUnknown, sink) }
