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

func looksBitTorrent(head []byte, _ bool, _ Ports) verdict {
	return startsWith(head, "\x13BitTorrent protocol")
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
