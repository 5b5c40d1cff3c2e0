// SPDX-License-Identifier: Apache-2.0

package dissect

// lineAction is what follows from a line.
type lineAction uint8

const (
	lineNext   lineAction = iota
	linePause             // read no more of the client until the server has answered
	lineResume            // go on with the client
	lineTLS               // what follows in both directions is TLS
	lineStop              // nothing more is read
)

// lineProtocol is a protocol of commands and replies of one line each.
type lineProtocol interface {
	line(dir int, text []byte, sink Sink) lineAction
	end(sink Sink) // the server will say no more
}

// maxLineLen is after how many bytes without a line end a stream is left alone.
const maxLineLen = 2048

// lineStream cuts both streams into lines.
type lineStream struct {
	pos     [2]int
	paused  bool
	stopped bool
	proto   lineProtocol
	tunnel  *handover
}

func (l *lineStream) feed(dir int, head []byte, final bool, sink Sink) int {
	for !l.stopped && l.tunnel == nil {
		if dir == FromClient && l.paused {
			return len(head) + 1
		}
		pos := min(l.pos[dir], len(head))
		line, rest, ok := cutLine(head[pos:])
		if !ok {
			if final && dir == FromServer {
				l.proto.end(sink)
			}
			if len(head)-pos > maxLineLen {
				return 0
			}
			return len(head) + 1
		}
		l.pos[dir] = len(head) - len(rest)
		l.act(l.proto.line(dir, line, sink))
	}
	if l.tunnel != nil {
		return l.tunnel.feed(dir, head, final, sink)
	}
	return 0
}

func (l *lineStream) act(a lineAction) {
	switch a {
	case linePause:
		l.paused = true
	case lineResume:
		l.paused = false
	case lineTLS:
		l.tunnel = &handover{from: l.pos}
	case lineStop:
		l.stopped = true
	}
}

// maxAttempts is how many logins of one session are told.
const maxAttempts = 32

// attempt is a login that waits for its result. The user name is kept until the password has come, the password not at
// all.
type attempt struct {
	protocol string
	userBuf  [64]byte
	user     []byte
	hint     string
	pending  bool
	defaults bool
	clear    bool
	told     int
}

// name takes the user name.
func (a *attempt) name(user []byte) {
	a.hint = userHint(user)
	a.user = append(a.userBuf[:0], user[:min(len(user), len(a.userBuf))]...)
}

// password takes the password, compares, and forgets both.
func (a *attempt) password(b []byte) {
	a.pending, a.clear = true, true
	a.defaults = isDefaultPair(a.user, b)
	a.forget()
}

// proof notes that the client has proved that it knows a password without sending it.
func (a *attempt) proof() {
	a.pending, a.clear, a.defaults = true, false, false
	a.forget()
}

func (a *attempt) forget() {
	clear(a.userBuf[:])
	a.user = nil
}

// result tells how a pending attempt ended.
func (a *attempt) result(r Outcome, sink Sink) {
	if !a.pending {
		return
	}
	a.pending = false
	if a.told++; a.told <= maxAttempts {
		sink(&Login{Protocol: a.protocol, UserHint: a.hint, Result: r, DefaultCredentials: a.defaults, CleartextCredentials: a.clear})
	}
}

// replyCode is the code of a reply of FTP or SMTP, last is false for a line that others follow (RFC 959 section 4.2).
func replyCode(line []byte) (code int, last bool) {
	if len(line) < 3 {
		return 0, false
	}
	code, ok := number(line[:3])
	if !ok || code < 100 {
		return 0, false
	}
	return code, len(line) == 3 || line[3] == ' '
}
