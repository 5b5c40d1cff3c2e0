// SPDX-License-Identifier: Apache-2.0

package dissect

// pop3 reads POP3 (RFC 1939, RFC 2595, RFC 5034).
type pop3 struct {
	login   attempt
	greeted bool
	waiting []pop3Command // commands without reply, oldest first
	sasl    saslExchange
}

type pop3Command uint8

const (
	pop3Other pop3Command = iota
	pop3Auth              // its reply is the result of a login
	pop3TLS
)

func newPOP3() lineProtocol { return &pop3{login: attempt{protocol: "pop3"}} }

// looksPOP3 takes "+OK" only with a word of mail behind it, or where POP3 is expected: other protocols say it, too.
func looksPOP3(head []byte, final bool, ports Ports) verdict {
	if v := startsWith(head, "+OK"); v != yes || ports.has(110) {
		return v
	}
	line, _, ok := cutLine(head)
	switch {
	case !ok && !final && len(head) < 512:
		return maybe
	case foldContains(line, "pop3") || foldContains(line, "pop server"):
		return yes
	}
	return no
}

func (p *pop3) line(dir int, text []byte, sink Sink) lineAction {
	if dir == FromServer {
		return p.reply(text, sink)
	}
	if p.sasl.steps > 0 {
		p.sasl.step(text, &p.login)
		return lineNext
	}
	return p.command(text)
}

func (p *pop3) command(text []byte) lineAction {
	name, arg := word(text)
	kind := pop3Other
	switch {
	case foldEqual(name, "user"):
		p.login.name(arg)
	case foldEqual(name, "pass"):
		p.login.password(arg)
		kind = pop3Auth
	case foldEqual(name, "apop"):
		user, _ := word(arg)
		p.login.name(user)
		p.login.proof()
		kind = pop3Auth
	case foldEqual(name, "auth") && len(arg) > 0:
		kind = pop3Auth
		mechanism, initial := word(arg)
		p.sasl.begin(mechanism, initial, &p.login)
	case foldEqual(name, "stls"):
		kind = pop3TLS
	}
	if len(p.waiting) == maxAttempts {
		return lineStop
	}
	p.waiting = append(p.waiting, kind)
	if kind == pop3TLS {
		return linePause
	}
	return lineNext
}

func (p *pop3) reply(text []byte, sink Sink) lineAction {
	ok := foldPrefix(text, "+ok")
	if !ok && !foldPrefix(text, "-err") {
		if len(text) > 0 && text[0] == '+' {
			p.sasl.challenged()
		}
		return lineNext // a line of a list, or a challenge
	}
	if !p.greeted {
		p.greeted = true
		if t := cleanText(text[min(4, len(text)):], maxBanner); t != "" {
			sink(&Banner{Protocol: "pop3", Text: t})
		}
		return lineNext
	}
	if len(p.waiting) == 0 {
		return lineNext
	}
	kind := p.waiting[0]
	p.waiting = p.waiting[1:]
	switch {
	case kind == pop3TLS && ok:
		return lineTLS
	case kind == pop3TLS:
		return lineResume
	case kind == pop3Auth && ok:
		p.login.result(OutcomeSuccess, sink)
		return lineStop
	case kind == pop3Auth:
		p.sasl = saslExchange{}
		p.login.result(OutcomeFailure, sink)
	}
	return lineNext
}

func (p *pop3) end(sink Sink) { p.login.result(OutcomeUnknown, sink) }
