// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "irc",
	Signs: "registration of a client; notice of a server",
	Reads: "TLS after STARTTLS",
	Login: protocol.LoginUnread,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 320, Looks: LooksIRC, New: NewIRC},
		{From: protocol.Server, Order: 320, Looks: LooksIRCServer, New: NewIRC},
	},
})

// irc reads the registration of IRC up to the welcome, looking for STARTTLS (IRCv3, "tls" extension).
type irc struct{ asked bool }

// NewIRC returns a dissector of IRC.
func NewIRC() dissect.Stream { return &lineStream{proto: new(irc)} }

// LooksIRC recognizes the registration of a client (RFC 2812 section 3.1, IRCv3 capabilities).
func LooksIRC(head []byte, final bool, ports dissect.Ports) match.Verdict {
	v := match.AnyPrefix(head, "NICK ", "CAP LS", "CAP REQ", "USER ", "PASS ")
	if v != match.Yes || head[0] == 'C' {
		return v
	}
	line, rest, ok := parse.CutLine(head)
	switch {
	case parse.HasControl(line) || !ok && len(head) > 512:
		return match.No
	case !ok && !final:
		return match.Maybe
	case head[0] == 'N' || ok && ircUser(line):
		return match.Yes
	case ok && head[0] == 'P':
		// Only the next line shows that the password is for IRC.
		return match.AnyPrefix(rest, "NICK ", "USER ", "CAP ")
	}
	return match.No
}

// ircUser reports whether line is "USER name mode unused :real name". FTP and POP3 have one argument.
func ircUser(line []byte) bool {
	return line[0] == 'U' && bytes.Count(line, []byte(" ")) >= 4 && bytes.Contains(line, []byte(" :"))
}

// LooksIRCServer recognizes the notices with which IRC servers begin.
func LooksIRCServer(head []byte, final bool, _ dissect.Ports) match.Verdict {
	const maxPrefix = 80
	if head[0] != ':' {
		return match.AnyPrefix(head, "NOTICE AUTH :", "NOTICE * :")
	}
	i := bytes.IndexByte(head[:min(len(head), maxPrefix)], ' ')
	switch {
	case i < 0 && len(head) < maxPrefix && parse.IsPlain(head) && !final:
		return match.Maybe
	case i < 0 || !parse.IsPlain(head[:i]):
		return match.No
	}
	return match.AnyPrefix(head[i+1:], "NOTICE AUTH ", "NOTICE * ", "001 ", "020 ", "CAP * ")
}

func (c *irc) line(dir int, text []byte, _ dissect.Sink) lineAction {
	if dir == dissect.FromClient {
		if parse.FoldEqual(bytes.TrimSpace(text), "starttls") {
			c.asked = true
			return linePause
		}
		return lineNext
	}
	switch reply := ircReply(text); {
	case reply == "001": // welcome
		return lineStop
	case c.asked && reply == "670":
		return lineTLS
	case c.asked && (reply == "691" || reply == "421"): // refused, or not known
		c.asked = false
		return lineResume
	}
	return lineNext
}

func (c *irc) end(dissect.Sink) {}

// ircReply returns the number of a server's line, ":server 001 nick …".
func ircReply(text []byte) string {
	prefix, rest := parse.Word(text)
	number, _ := parse.Word(rest)
	if len(prefix) == 0 || prefix[0] != ':' || len(number) != 3 {
		return ""
	}
	return string(number)
}
