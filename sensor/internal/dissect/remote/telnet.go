// SPDX-License-Identifier: Apache-2.0

// Package remote reads the protocols of remote access: Telnet and VNC with their logins, TLS in RDP and in the Android debug bridge. It
// recognizes Winbox.
package remote

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

// Protocols has the protocols of this package.
var Protocols protocol.List

var _ = Protocols.Add(protocol.Protocol{
	Name:  "telnet",
	Signs: "options; text before a login",
	Ports: "23, 2323 for text",
	Reads: "banner, logins",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Either, Order: 50, Looks: LooksTelnet, New: NewTelnet},
	},
})

// Telnet commands, RFC 854, and the option ECHO, RFC 857.
const (
	telnetSE   = 240
	telnetSB   = 250
	telnetWILL = 251
	telnetWONT = 252
	telnetDONT = 254
	telnetIAC  = 255
	telnetEcho = 1
)

// telnetStream reads Telnet. It removes the negotiation and splits the dialogue into what the client types and the
// prompt at which it begins to type. What a line is for and how a login ended follows from what the server does; see
// telnetDialogue.
type telnetStream struct {
	sides    [2]telnetSide
	dialogue telnetDialogue
	scratch  [128]byte // the prompt without escapes
	banner   []byte
	prompted bool // the first prompt was seen, which ends the banner
}

// NewTelnet returns a dissector of Telnet.
func NewTelnet() dissect.Stream { return new(telnetStream) }

// telnetSide is one direction: how far it was read, and the current line without negotiation.
type telnetSide struct {
	pos   int
	state uint8 // 0 text, else the position within a command
	verb  byte  // of an option
	line  [128]byte
	n     int
	cr    bool // the last character was a carriage return, so a following LF or NUL ends no line of its own
}

// LooksTelnet is sure at the first negotiation. Without any, it accepts a login prompt on the ports of Telnet.
func LooksTelnet(head []byte, final bool, ports dissect.Ports) match.Verdict {
	const maxPrompt = 1024
	if head[0] != telnetIAC {
		switch {
		case !ports.Has(23, 2323):
			return match.No
		case telnetGreets(head):
			return match.Yes
		case len(head) < maxPrompt && !final:
			return match.Maybe
		}
		return match.No
	}
	switch {
	case len(head) < 3:
		if len(head) == 2 && (head[1] < telnetWILL || head[1] > telnetDONT) {
			return match.No
		}
		return match.Maybe
	case head[1] < telnetWILL || head[1] > telnetDONT:
		return match.No
	case head[2] > 50 && head[2] < 200: // options in use are 0 to 49, and 255 for the extended list
		return match.No
	}
	return match.Yes
}

func telnetGreets(b []byte) bool {
	i := lastColon(b)
	return i > 0 && (asksForPassword(b[:i]) || asksForUser(b[:i]))
}

func (t *telnetStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	s := &t.sides[dir]
	for ; s.pos < len(head); s.pos++ {
		if c, ok := t.text(dir, s, head[s.pos]); ok {
			t.char(dir, s, c, sink)
		}
	}
	if t.dialogue.login.Reported >= logins.MaxAttempts {
		return 0
	}
	if final && dir == dissect.FromServer {
		t.endBanner(sink)
		t.dialogue.end(t.prompt(), sink)
	}
	return len(head) + 1
}

// text reads one byte. ok is false if it belongs to a negotiation.
func (t *telnetStream) text(dir int, s *telnetSide, c byte) (text byte, ok bool) {
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
			s.state, s.verb = option, c
		default:
			s.state = inText
		}
	case option:
		s.state = inText
		if dir == dissect.FromServer && c == telnetEcho && s.verb <= telnetWONT {
			t.dialogue.echo = s.verb == telnetWILL
		}
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

// char reads one character of text.
func (t *telnetStream) char(dir int, s *telnetSide, c byte, sink dissect.Sink) {
	afterCR := s.cr
	s.cr = c == '\r'
	switch {
	case c == 0 || c == '\n' && afterCR:
		return
	case dir == dissect.FromServer:
		t.shown(s, c, sink)
		return
	}
	if !t.dialogue.typing {
		t.endBanner(sink)
		t.dialogue.begin(t.prompt(), sink)
	}
	switch {
	case c == '\n' || c == '\r':
		t.dialogue.typed(s.line[:s.n])
		clear(s.line[:s.n])
		s.n = 0
		t.sides[dissect.FromServer].n = 0 // what it shows from now on is the next prompt
	case c == 8 || c == 127:
		s.n = max(0, s.n-1)
	default:
		s.add(c)
	}
}

func (s *telnetSide) add(c byte) {
	if s.n == len(s.line) {
		copy(s.line[:], s.line[64:]) // only the end of a long line matters
		s.n -= 64
	}
	s.line[s.n] = c
	s.n++
}

// shown reads one character of the server.
func (t *telnetStream) shown(s *telnetSide, c byte, sink dissect.Sink) {
	client := &t.sides[dissect.FromClient]
	echo := t.dialogue.shown(c, client.line[:client.n])
	if c == '\n' || c == '\r' {
		t.endOfLine(s.line[:s.n])
		t.dialogue.lineShown(s.line[:s.n])
		s.n = 0
		return
	}
	if echo {
		return // it belongs to the line of the client
	}
	s.add(c)
	switch c {
	case ':':
		if p := t.prompt(); t.dialogue.typedAhead() && (asksForUser(p) || asksForPassword(p)) {
			t.endBanner(sink)
			t.dialogue.answerAhead(p, sink)
		} else {
			t.dialogue.asksAgain(p, sink)
		}
	case ' ':
		t.dialogue.asksInside(t.prompt(), sink)
	}
}

// prompt returns what the server has shown of its current line.
func (t *telnetStream) prompt() []byte {
	s := &t.sides[dissect.FromServer]
	return plainPrompt(t.scratch[:0], s.line[:s.n])
}

// endOfLine collects the text before the first prompt.
func (t *telnetStream) endOfLine(line []byte) {
	if t.prompted || len(line) == 0 || len(t.banner) >= dissect.MaxBanner {
		return
	}
	if len(t.banner) > 0 {
		t.banner = append(t.banner, ' ')
	}
	t.banner = append(t.banner, line...)
}

// endBanner reports the text before the first prompt.
func (t *telnetStream) endBanner(sink dissect.Sink) {
	if t.prompted || len(t.banner) == 0 && t.sides[dissect.FromServer].n == 0 {
		return
	}
	t.prompted = true
	if text := parse.CleanText(t.banner, dissect.MaxBanner); text != "" {
		sink(&dissect.Banner{Protocol: "telnet", Text: text})
	}
	t.banner = nil
}
