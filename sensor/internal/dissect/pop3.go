// SPDX-License-Identifier: Apache-2.0

package dissect

// pop3 reads POP3 (RFC 1939, RFC 2595, RFC 5034).
type pop3 struct {
	login   attempt
	greeted bool
	waiting []pop3Command // commands without reply, oldest first
	sasl    pop3SASL      // mechanism of an AUTH that has no result yet
	steps   int           // lines of the client that come next and are no commands, but answers to challenges
}

type pop3Command uint8

const (
	pop3Other pop3Command = iota
	pop3Auth              // its reply is the result of a login
	pop3TLS
)

// pop3SASL is what the answers to the challenges of a mechanism hold (RFC 5034 section 4).
type pop3SASL uint8

const (
	pop3NoSASL pop3SASL = iota
	pop3Plain           // user and password in one
	pop3Login           // the user name, then the password
	pop3Proof           // something else, as often as the server asks
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
	if p.steps > 0 {
		p.steps--
		p.step(text)
		return lineNext
	}
	return p.command(text)
}

// step reads an answer to a challenge.
func (p *pop3) step(text []byte) {
	var buf [96]byte
	switch {
	case string(text) == "*": // the client gives up
		p.login.pending, p.steps = false, 0
		p.login.forget()
	case p.sasl == pop3Plain:
		p.login.plain(text)
	case p.sasl == pop3Login && p.steps > 0:
		p.login.name(decodeBase64(buf[:], text))
	case p.sasl == pop3Login:
		p.login.password(decodeBase64(buf[:], text))
	default:
		p.login.hint = ""
		p.login.proof()
	}
	clear(buf[:])
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
		p.auth(word(arg))
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

// auth begins a mechanism. Its result counts once a password or a proof was sent: a server may refuse the mechanism.
func (p *pop3) auth(mechanism, initial []byte) {
	switch {
	case foldEqual(mechanism, "plain"):
		p.sasl, p.steps = pop3Plain, 1
	case foldEqual(mechanism, "login"):
		p.sasl, p.steps = pop3Login, 2
	default:
		p.sasl, p.steps = pop3Proof, 0
		if len(initial) > 0 {
			p.steps = 1
		}
	}
	if len(initial) > 0 {
		p.steps--
		p.step(initial)
	}
}

func (p *pop3) reply(text []byte, sink Sink) lineAction {
	ok := foldPrefix(text, "+ok")
	if !ok && !foldPrefix(text, "-err") {
		if p.sasl == pop3Proof && len(text) > 0 && text[0] == '+' {
			p.steps = 1
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
		p.sasl, p.steps = pop3NoSASL, 0
		p.login.result(OutcomeFailure, sink)
	}
	return lineNext
}

func (p *pop3) end(sink Sink) { p.login.result(OutcomeUnknown, sink) }
