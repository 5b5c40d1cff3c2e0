// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
)

// greeting reads the reply 220 with which FTP and SMTP servers begin until it knows which of them it is: by the words
// of the greeting, with the port as a hint, or by the first command.
type greeting struct {
	ports dissect.Ports
	text  []byte
	done  bool
	proto lineProtocol
}

// NewGreeting returns a dissector for a server that greets with code 220. It is FTP or SMTP, whichever the greeting,
// the ports or the first command show.
func NewGreeting(ports dissect.Ports) dissect.Stream {
	return &lineStream{proto: &greeting{ports: ports}}
}

// LooksGreeting recognizes a greeting with code 220.
func LooksGreeting(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	return match.AnyPrefix(head, "220 ", "220-")
}

func (g *greeting) line(dir int, text []byte, sink dissect.Sink) lineAction {
	if g.proto == nil && dir == dissect.FromServer && !g.done {
		g.greet(text, sink)
		return lineNext
	}
	if g.proto == nil && dir == dissect.FromClient {
		g.adopt(commandProtocol(text), sink)
	}
	if g.proto == nil {
		return lineNext
	}
	return g.proto.line(dir, text, sink)
}

// greet reads a line of the greeting.
func (g *greeting) greet(text []byte, sink dissect.Sink) {
	code, last := replyCode(text)
	if len(text) > 4 && code != 0 {
		text = text[4:]
	}
	if room := dissect.MaxBanner - len(g.text); room > 0 && len(text) > 0 {
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

// adopt names the protocol and reports the greeting.
func (g *greeting) adopt(name string, sink dissect.Sink) {
	switch name {
	case "ftp":
		g.proto = ftpLines()
	case "smtp":
		g.proto = smtpLines()
	default:
		return
	}
	sink(&dissect.AppID{Name: name})
	if text := parse.CleanText(g.text, dissect.MaxBanner); text != "" {
		sink(&dissect.Banner{Protocol: name, Text: text})
	}
	g.text = nil
}

func (g *greeting) end(sink dissect.Sink) {
	if g.proto != nil {
		g.proto.end(sink)
	}
}

func greetingProtocol(text []byte, ports dissect.Ports) string {
	ftp, smtp := parse.FoldContains(text, "ftp"), parse.FoldContains(text, "smtp")
	switch {
	case smtp && !ftp, !ftp && ports.Has(25, 587), ftp && smtp && !ports.Has(21):
		return "smtp"
	case ftp, ports.Has(21):
		return "ftp"
	}
	return ""
}

// commandProtocol returns the protocol to which the first command of a client belongs.
func commandProtocol(text []byte) string {
	for _, c := range [...]string{"ehlo ", "helo "} {
		if parse.FoldPrefix(text, c) {
			return "smtp"
		}
	}
	for _, c := range [...]string{"user ", "auth tls", "auth ssl", "feat", "syst", "opts "} {
		if parse.FoldPrefix(text, c) {
			return "ftp"
		}
	}
	return ""
}
