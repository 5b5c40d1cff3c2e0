// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/parse"
	"stillwatch/sensor/internal/dissect/protocol"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "pop3",
	Signs: "`+OK` and a word of mail",
	Ports: "110 without the word",
	Reads: "greeting, logins, TLS after STLS",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Server, Order: 90, Looks: LooksPOP3, New: NewPOP3},
	},
})

// pop3 reads POP3 (RFC 1939, RFC 2595, RFC 5034).
type pop3 struct {
	login   logins.Attempt
	greeted bool
	stamp   string        // of the greeting, for APOP
	waiting []pop3Command // commands without reply, oldest first
	sasl    saslExchange
}

type pop3Command uint8

const (
	pop3Other pop3Command = iota
	pop3Auth              // its reply is the result of a login
	pop3TLS
)

func pop3Lines() lineProtocol { return &pop3{login: logins.Attempt{Protocol: "pop3"}} }

// NewPOP3 returns a dissector of POP3.
func NewPOP3() dissect.Stream { return &lineStream{proto: pop3Lines()} }

// LooksPOP3 accepts "+OK" only with a word about mail behind it or on the port of POP3: other protocols send it, too.
func LooksPOP3(head []byte, final bool, ports dissect.Ports) match.Verdict {
	if v := match.Prefix(head, "+OK"); v != match.Yes || ports.Has(110) {
		return v
	}
	line, _, ok := parse.CutLine(head)
	switch {
	case !ok && !final && len(head) < 512:
		return match.Maybe
	case parse.FoldContains(line, "pop3") || parse.FoldContains(line, "pop server"):
		return match.Yes
	}
	return match.No
}

func (p *pop3) line(dir int, text []byte, sink dissect.Sink) lineAction {
	if dir == dissect.FromServer {
		return p.reply(text, sink)
	}
	if p.sasl.steps > 0 {
		p.sasl.step(text, &p.login)
		return lineNext
	}
	return p.command(text)
}

func (p *pop3) command(text []byte) lineAction {
	name, arg := parse.Word(text)
	kind := pop3Other
	switch {
	case parse.FoldEqual(name, "user"):
		p.login.Name(arg)
	case parse.FoldEqual(name, "pass"):
		p.login.Password(arg)
		kind = pop3Auth
	case parse.FoldEqual(name, "apop"):
		user, proof := parse.Word(arg)
		p.login.Name(user)
		p.login.Prove(p.apop(user, proof))
		kind = pop3Auth
	case parse.FoldEqual(name, "auth") && len(arg) > 0:
		kind = pop3Auth
		mechanism, initial := parse.Word(arg)
		p.sasl.begin(mechanism, initial, &p.login)
	case parse.FoldEqual(name, "stls"):
		kind = pop3TLS
	}
	if len(p.waiting) == logins.MaxAttempts {
		return lineStop
	}
	p.waiting = append(p.waiting, kind)
	if kind == pop3TLS {
		return linePause
	}
	return lineNext
}

// apop returns the check of APOP: MD5 of the time stamp in the greeting and the password (RFC 1939 section 7).
func (p *pop3) apop(user, proof []byte) logins.Check {
	if !logins.Known(user) {
		return logins.Check{}
	}
	stamp, sent := p.stamp, logins.LowerProof(proof)
	return logins.NewCheck(user, func(password string) bool {
		sum := md5.Sum([]byte(stamp + password))
		return sent.Is(hex.EncodeToString(sum[:]))
	})
}

func (p *pop3) reply(text []byte, sink dissect.Sink) lineAction {
	ok := parse.FoldPrefix(text, "+ok")
	if !ok && !parse.FoldPrefix(text, "-err") {
		if len(text) > 0 && text[0] == '+' {
			_, challenge := parse.Word(text)
			p.sasl.challenged(challenge)
		}
		return lineNext // a line of a list, or a challenge
	}
	if !p.greeted {
		p.greeted = true
		if i, j := bytes.IndexByte(text, '<'), bytes.LastIndexByte(text, '>'); i >= 0 && i < j && j-i < 256 {
			p.stamp = string(text[i : j+1])
		}
		if t := parse.CleanText(text[min(4, len(text)):], dissect.MaxBanner); t != "" {
			sink(&dissect.Banner{Protocol: "pop3", Text: t})
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
		p.login.Result(dissect.OutcomeSuccess, sink)
		return lineStop
	case kind == pop3Auth:
		p.sasl = saslExchange{}
		p.login.Result(dissect.OutcomeFailure, sink)
	}
	return lineNext
}

func (p *pop3) end(sink dissect.Sink) { p.login.Result(dissect.OutcomeUnknown, sink) }
