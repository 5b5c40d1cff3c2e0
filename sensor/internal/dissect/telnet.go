// SPDX-License-Identifier: Apache-2.0

package dissect

// Telnet commands, RFC 854.
const (
	telnetSE   = 240
	telnetSB   = 250
	telnetWILL = 251
	telnetDONT = 254
	telnetIAC  = 255
)

// telnetStep is how far a login has come.
type telnetStep uint8

const (
	telnetIdle     telnetStep = iota
	telnetUser                // the server has asked for a name
	telnetNamed               // the name was given
	telnetPassword            // the server has asked for a password
	telnetWaiting             // the password was given, the result is not known
)

// telnetStream reads Telnet: negotiation is taken out, prompts and what is typed after them tell the logins. A
// login has failed if the server says so or asks again, it has succeeded if a shell prompt follows or the client goes on.
type telnetStream struct {
	sides    [2]telnetSide
	step     telnetStep
	login    attempt
	banner   []byte
	prompted bool // the first prompt was seen: the banner is over
}

// telnetSide is one direction: how far it was read, and the current line without negotiation.
type telnetSide struct {
	pos   int
	state uint8 // 0 text, else the position within a command
	line  [128]byte
	n     int
	cr    bool // the last character was a carriage return, so LF or NUL ends no line of its own
}

// looksTelnet is sure at the first negotiation. Without any, a login prompt counts where Telnet is expected.
func looksTelnet(head []byte, final bool, ports Ports) verdict {
	const maxPrompt = 1024
	if head[0] != telnetIAC {
		switch {
		case !ports.has(23, 2323):
			return no
		case telnetPrompt(head):
			return yes
		case len(head) < maxPrompt && !final:
			return maybe
		}
		return no
	}
	switch {
	case len(head) < 3:
		if len(head) == 2 && (head[1] < telnetWILL || head[1] > telnetDONT) {
			return no
		}
		return maybe
	case head[1] < telnetWILL || head[1] > telnetDONT:
		return no
	case head[2] > 50 && head[2] < 200: // options in use are 0 to 49, and 255 for the extended list
		return no
	}
	return yes
}

func telnetPrompt(b []byte) bool {
	return foldContains(b, "login:") || foldContains(b, "username:") || foldContains(b, "password:")
}

func (t *telnetStream) feed(dir int, head []byte, final bool, sink Sink) int {
	s := &t.sides[dir]
	for ; s.pos < len(head); s.pos++ {
		if c, ok := s.text(head[s.pos]); ok {
			t.char(dir, s, c, sink)
		}
	}
	if t.login.told >= maxAttempts {
		return 0
	}
	if final && dir == FromServer {
		t.end(s, sink)
	}
	return len(head) + 1
}

// text takes one byte; ok is false for those that belong to negotiation.
func (s *telnetSide) text(c byte) (text byte, ok bool) {
	const inText, command, option, sub, subIAC = 0, 1, 2, 3, 4
	switch s.state {
	case inText:
		if c != telnetIAC {
			return c, true
		}
		s.state = command
	case command:
		switch {
		case c == telnetIAC:
			s.state = inText
			return c, true
		case c == telnetSB:
			s.state = sub
		case c >= telnetWILL && c <= telnetDONT:
			s.state = option
		default:
			s.state = inText
		}
	case option:
		s.state = inText
	case sub:
		if c == telnetIAC {
			s.state = subIAC
		}
	case subIAC:
		s.state = sub
		if c == telnetSE {
			s.state = inText
		}
	}
	return 0, false
}

// char takes one character of text.
func (t *telnetStream) char(dir int, s *telnetSide, c byte, sink Sink) {
	afterCR := s.cr
	s.cr = c == '\r'
	switch {
	case c == 0 || c == '\n' && afterCR:
		return
	case c == '\n' || c == '\r':
		if dir == FromClient {
			t.typed(s.line[:s.n], sink)
		} else {
			t.endOfLine(s.line[:s.n])
		}
		clear(s.line[:s.n])
		s.n = 0
		return
	case (c == 8 || c == 127) && dir == FromClient:
		s.n = max(0, s.n-1)
		return
	case s.n == len(s.line):
		copy(s.line[:], s.line[64:]) // only the end of a long line matters
		s.n -= 64
	}
	s.line[s.n] = c
	s.n++
	if dir == FromServer {
		t.shown(s.line[:s.n], sink)
	}
}

// shown looks at the line that the server has shown so far.
func (t *telnetStream) shown(line []byte, sink Sink) {
	switch c := line[len(line)-1]; {
	case c == ':':
		t.prompt(line, sink)
	case t.step != telnetWaiting:
	case c == ' ' && len(line) >= 2 && isShellPrompt(line[len(line)-2]):
		t.result(OutcomeSuccess, sink)
	case lower(c) == 't' && foldEnds(line, "incorrect"), lower(c) == 'd' && (foldEnds(line, "failed") || foldEnds(line, "invalid") || foldEnds(line, "denied")),
		lower(c) == 'e' && foldEnds(line, "failure"), lower(c) == 'g' && foldEnds(line, "wrong"):
		t.result(OutcomeFailure, sink)
	}
}

// prompt takes a line that ends in a colon.
func (t *telnetStream) prompt(line []byte, sink Sink) {
	asksUser := foldEnds(line, "login:") && !foldEnds(line, "last login:") || foldEnds(line, "username:") || foldEnds(line, "user name:") || foldEnds(line, "user:") || foldEnds(line, "account:")
	asksPassword := foldEnds(line, "password:") || foldEnds(line, "passwd:")
	if !asksUser && !asksPassword {
		return
	}
	t.result(OutcomeFailure, sink) // it would not ask again
	if !t.prompted {
		t.prompted = true
		if text := cleanText(t.banner, maxBanner); text != "" {
			sink(&Banner{Protocol: "telnet", Text: text})
		}
		t.banner = nil
	}
	if t.step = telnetUser; asksPassword {
		t.step = telnetPassword
	}
}

// endOfLine gathers the text before the first prompt.
func (t *telnetStream) endOfLine(line []byte) {
	if t.prompted || len(line) == 0 || len(t.banner) >= maxBanner {
		return
	}
	if len(t.banner) > 0 {
		t.banner = append(t.banner, ' ')
	}
	t.banner = append(t.banner, line...)
}

// typed takes a line of the client.
func (t *telnetStream) typed(line []byte, sink Sink) {
	switch t.step {
	case telnetUser:
		t.login.name(line)
		t.step = telnetNamed
	case telnetPassword:
		t.login.password(line)
		t.step = telnetWaiting
	case telnetWaiting:
		if len(line) > 0 {
			t.result(OutcomeSuccess, sink)
		}
	}
}

func (t *telnetStream) result(r Outcome, sink Sink) {
	if t.step != telnetWaiting {
		return
	}
	t.step = telnetIdle
	t.login.protocol = "telnet"
	t.login.result(r, sink)
}

// end judges a login by the last line of the server.
func (t *telnetStream) end(s *telnetSide, sink Sink) {
	if s.n > 0 && isShellPrompt(s.line[s.n-1]) {
		t.result(OutcomeSuccess, sink)
	}
	t.result(OutcomeUnknown, sink)
}

func isShellPrompt(c byte) bool { return c == '#' || c == '$' || c == '>' || c == '%' }

// foldEnds reports whether b ends in s, which is lower case.
func foldEnds(b []byte, s string) bool {
	return len(b) >= len(s) && foldEqual(b[len(b)-len(s):], s)
}
