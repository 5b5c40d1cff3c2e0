// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

func looksSIPRequest(head []byte, final bool, _ Ports) verdict {
	return requestLine(head, final, " SIP/2.0", func(_, target []byte) bool {
		return bytes.HasPrefix(target, []byte("sip:")) || bytes.HasPrefix(target, []byte("sips:"))
	})
}

func looksSIPResponse(head []byte, _ bool, _ Ports) verdict { return statusLine(head, "SIP/2.") }

func looksVNC(head []byte, _ bool, _ Ports) verdict {
	return startsWithAny(head, "RFB 003.", "RFB 004.", "RFB 005.")
}

// looksRedis tells a command in the serialisation of Redis: an array of strings, "*1\r\n$4\r\n".
func looksRedis(head []byte, _ bool, _ Ports) verdict {
	if head[0] != '*' {
		return no
	}
	i := 1
	for ; i < len(head) && i < 6 && '0' <= head[i] && head[i] <= '9'; i++ {
	}
	switch {
	case i == len(head):
		return maybe
	case i == 1:
		return no
	}
	return startsWith(head[i:], "\r\n$")
}

func looksBitTorrent(head []byte, _ bool, _ Ports) verdict {
	return startsWith(head, "\x13BitTorrent protocol")
}

// looksXMPP tells the stream header, with or without an XML declaration before it (RFC 6120 section 4.2).
func looksXMPP(head []byte, final bool, _ Ports) verdict {
	const maxHead = 512
	v := startsWithAny(head, "<stream:stream ", "<?xml ")
	if v != yes || head[1] == 's' {
		return v
	}
	switch {
	case bytes.Contains(head[:min(len(head), maxHead)], []byte("<stream:stream ")):
		return yes
	case len(head) < maxHead && !final:
		return maybe
	}
	return no
}

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

// looksStratum tells the first message of a miner, JSON on one line.
func looksStratum(head []byte, final bool, _ Ports) verdict {
	const maxLine = 1024
	if head[0] != '{' {
		return no
	}
	line := head[:min(len(head), maxLine)]
	i := bytes.IndexByte(line, '\n')
	if i >= 0 {
		line = line[:i]
	}
	for _, method := range [...]string{`"mining.subscribe"`, `"mining.authorize"`, `"eth_submitLogin"`} {
		if at := bytes.Index(line, []byte(method)); at > 0 && isPlain(line[:at]) {
			return yes
		}
	}
	switch plain := isPlain(bytes.TrimRight(line, "\r")); {
	case !plain:
		return no
	case i >= 0:
		return yesIf(bytes.Contains(line, []byte(`"jsonrpc"`)) && bytes.Contains(line, []byte(`"login"`)) && bytes.Contains(line, []byte(`"pass"`)))
	case len(head) < maxLine && !final:
		return maybe
	}
	return no
}

// looksSyslogStream tells messages with priority and version, with or without a length before them (RFC 6587).
func looksSyslogStream(head []byte, final bool, ports Ports) verdict {
	if !ports.has(514, 601, 1514) || head[0] != '<' && (head[0] < '1' || head[0] > '9') {
		return no
	}
	i := bytes.IndexByte(head[:min(len(head), 8)], '<')
	switch {
	case i < 0 && len(head) < 8:
		return maybe
	case i < 0:
		return no
	case len(head) < i+24 && !final:
		return maybe
	}
	return yesIf(looksSyslog(head[i:], ports))
}
