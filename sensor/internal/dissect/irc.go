// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// irc reads the registration of IRC up to the welcome, for a turn to TLS (IRCv3, "tls" extension).
type irc struct{ asked bool }

func openIRC(*Conversation) streamDissector { return &lineStream{proto: new(irc)} }

// looksIRC tells the registration of a client (RFC 2812 section 3.1, IRCv3 capabilities).
func looksIRC(head []byte, final bool, ports Ports) verdict {
	v := startsWithAny(head, "NICK ", "CAP LS", "CAP REQ", "USER ", "PASS ")
	if v != yes || head[0] == 'C' {
		return v
	}
	line, rest, ok := cutLine(head)
	switch {
	case hasControl(line) || !ok && len(head) > 512:
		return no
	case !ok && !final:
		return maybe
	case head[0] == 'N' || ok && ircUser(line):
		return yes
	case ok && head[0] == 'P':
		// Only what follows tells that the password is for IRC.
		return startsWithAny(rest, "NICK ", "USER ", "CAP ")
	}
	return no
}

// ircUser tells "USER name mode unused :real name", where FTP and POP3 have one argument.
func ircUser(line []byte) bool {
	return line[0] == 'U' && bytes.Count(line, []byte(" ")) >= 4 && bytes.Contains(line, []byte(" :"))
}

// looksIRCServer tells the notices with which servers begin.
func looksIRCServer(head []byte, final bool, _ Ports) verdict {
	const maxPrefix = 80
	if head[0] != ':' {
		return startsWithAny(head, "NOTICE AUTH :", "NOTICE * :")
	}
	i := bytes.IndexByte(head[:min(len(head), maxPrefix)], ' ')
	if i < 0 {
		if len(head) < maxPrefix && isPlain(head) && !final {
			return maybe
		}
		return no
	}
	return startsWithAny(head[i+1:], "NOTICE AUTH ", "NOTICE * ", "001 ", "020 ", "CAP * ")
}

func (c *irc) line(dir int, text []byte, _ Sink) lineAction {
	if dir == FromClient {
		if foldEqual(bytes.TrimSpace(text), "starttls") {
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
	case c.asked && (reply == "691" || reply == "421"): // refused, not known
		c.asked = false
		return lineResume
	}
	return lineNext
}

func (c *irc) end(Sink) {}

// ircReply is the number of a line of the server, ":server 001 nick …".
func ircReply(text []byte) string {
	prefix, rest := word(text)
	number, _ := word(rest)
	if len(prefix) == 0 || prefix[0] != ':' || len(number) != 3 {
		return ""
	}
	return string(number)
}
