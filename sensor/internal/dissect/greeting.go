// SPDX-License-Identifier: Apache-2.0

package dissect

const maxBanner = 256

// greeting reads the 220 with which FTP and SMTP servers begin, until it is known which of them it is: by the words of the
// greeting, with the port as a hint, or by the first command.
type greeting struct {
	ports Ports
	text  []byte
	done  bool
	proto lineProtocol
}

func looksGreeting(head []byte, _ bool, _ Ports) verdict { return startsWithAny(head, "220 ", "220-") }

func (g *greeting) line(dir int, text []byte, sink Sink) lineAction {
	if g.proto == nil && dir == FromServer && !g.done {
		g.greet(text, sink)
		return lineNext
	}
	if g.proto == nil && dir == FromClient {
		g.adopt(commandProtocol(text), sink)
	}
	if g.proto == nil {
		return lineNext
	}
	return g.proto.line(dir, text, sink)
}

// greet takes a line of the greeting.
func (g *greeting) greet(text []byte, sink Sink) {
	code, last := replyCode(text)
	if len(text) > 4 && code != 0 {
		text = text[4:]
	}
	if room := maxBanner - len(g.text); room > 0 && len(text) > 0 {
		if len(g.text) > 0 {
			g.text = append(g.text, ' ')
		}
		g.text = append(g.text, text[:min(room, len(text))]...)
	}
	if code != 0 && last {
		g.done = true
		g.adopt(greetingProtocol(g.text, g.ports), sink)
	}
}

// adopt names the protocol and gives the greeting.
func (g *greeting) adopt(name string, sink Sink) {
	switch name {
	case "ftp":
		g.proto = newFTP()
	case "smtp":
		g.proto = newSMTP()
	default:
		return
	}
	sink(&AppID{Name: name})
	if text := cleanText(g.text, maxBanner); text != "" {
		sink(&Banner{Protocol: name, Text: text})
	}
	g.text = nil
}

func (g *greeting) end(sink Sink) {
	if g.proto != nil {
		g.proto.end(sink)
	}
}

func greetingProtocol(text []byte, ports Ports) string {
	ftp, smtp := foldContains(text, "ftp"), foldContains(text, "smtp")
	switch {
	case smtp && !ftp, !ftp && ports.has(25, 587), ftp && smtp && !ports.has(21):
		return "smtp"
	case ftp, ports.has(21):
		return "ftp"
	}
	return ""
}

// commandProtocol tells the protocol by the first command of the client.
func commandProtocol(text []byte) string {
	for _, c := range [...]string{"ehlo ", "helo "} {
		if foldPrefix(text, c) {
			return "smtp"
		}
	}
	for _, c := range [...]string{"user ", "auth tls", "auth ssl", "feat", "syst", "opts "} {
		if foldPrefix(text, c) {
			return "ftp"
		}
	}
	return ""
}
