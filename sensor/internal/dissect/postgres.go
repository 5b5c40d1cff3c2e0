// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"bytes"
	"encoding/binary"
)

// postgresStream reads the login of PostgreSQL: requests for encryption, the startup message, what the server asks for, the answers and the
// result; or hands over to TLS. (PostgreSQL documentation, "Message Flow: Start-up".)
type postgresStream struct {
	login    attempt
	pos      [2]int
	requests int  // for encryption that were not answered
	started  bool // the startup message was seen
	method   uint32
	proved   bool    // a password or a proof was sent
	said     Outcome // a result before the proof was seen
	over     bool    // the result is known
	stopped  bool
	tunnel   *handover
}

func openPostgres(*Conversation) streamDissector {
	return &postgresStream{login: attempt{protocol: "postgresql"}}
}

const (
	postgresOK       = 0
	postgresPassword = 3
	// maxPostgresStartup bounds a message before the login is over.
	maxPostgresStartup = 10000
)

func (p *postgresStream) feed(dir int, head []byte, final bool, sink Sink) int {
	for p.tunnel == nil && !p.stopped && !p.over {
		n := 0
		if dir == FromClient {
			n = p.client(head[min(p.pos[dir], len(head)):], sink)
		} else {
			n = p.server(head[min(p.pos[dir], len(head)):], sink)
		}
		if n == 0 {
			if final && dir == FromServer {
				p.login.result(OutcomeUnknown, sink)
			}
			return len(head) + 1
		}
		p.pos[dir] += n
	}
	if p.tunnel != nil {
		return p.tunnel.feed(dir, head, final, sink)
	}
	return 0
}

// client reads one message and gives its length, 0 if it is not complete.
func (p *postgresStream) client(b []byte, sink Sink) int {
	tag, body, n := p.message(b, !p.started)
	switch {
	case n == 0 || p.stopped:
		return 0
	case p.started:
		if tag == 'p' {
			p.proof(body, sink)
		}
		return n
	case len(body) < 4:
		p.stopped = true
		return 0
	}
	switch binary.BigEndian.Uint32(body) {
	case postgresSSL, postgresGSS:
		if p.requests > 0 {
			return 0 // the answer decides what comes next
		}
		p.requests++
		return n
	case postgresV3:
		if p.requests > 0 {
			return 0
		}
		p.started = true
		p.login.name(postgresParam(body[4:], "user"))
		return n
	}
	p.stopped = true
	return 0
}

// proof takes a password, or a step of a proof.
func (p *postgresStream) proof(body []byte, sink Sink) {
	if p.proved {
		return
	}
	p.proved = true
	if p.method == postgresPassword {
		p.login.password(bytes.TrimRight(body, "\x00"))
	} else {
		p.login.proof()
	}
	if p.said != OutcomeUnknown {
		p.result(p.said, sink)
	}
}

// server reads one message and gives its length, 0 if it is not complete or must wait for the client.
func (p *postgresStream) server(b []byte, sink Sink) int {
	switch {
	case len(b) == 0:
		return 0
	case p.requests > 0:
		p.requests--
		if b[0] == 'S' || b[0] == 'G' {
			p.tunnel = &handover{from: [2]int{p.pos[FromClient], p.pos[FromServer] + 1}}
		}
		p.stopped = b[0] != 'S' && b[0] != 'N'
		return 1
	case !p.started:
		return 0
	}
	tag, body, n := p.message(b, false)
	if n == 0 || p.stopped {
		return 0
	}
	switch {
	case tag == 'R' && len(body) >= 4:
		if method := binary.BigEndian.Uint32(body); method == postgresOK {
			p.accepted(sink)
		} else {
			p.method = max(p.method, method)
		}
	case tag == 'E':
		p.result(postgresError(body), sink)
	case tag != 'N' && tag != 'v':
		p.stopped = true
	}
	return n
}

// accepted takes the end of a login. Without a question before it nobody had to prove anything: still somebody was let in.
func (p *postgresStream) accepted(sink Sink) {
	if p.method == 0 {
		p.login.proof()
		p.proved = true
	}
	p.result(OutcomeSuccess, sink)
}

func (p *postgresStream) result(r Outcome, sink Sink) {
	if !p.proved && p.said == OutcomeUnknown && r != OutcomeUnknown {
		p.said = r // the proof is still to be seen
		return
	}
	p.over = true
	p.login.result(r, sink)
}

// message splits off a message: a tag but for the first of a client, and a length that counts itself.
func (p *postgresStream) message(b []byte, untagged bool) (tag byte, body []byte, n int) {
	at := 1
	if untagged {
		at = 0
	}
	if len(b) < at+4 {
		return 0, nil, 0
	}
	size := binary.BigEndian.Uint32(b[at:])
	if size < 4 || size > maxPostgresStartup {
		p.stopped = true
		return 0, nil, 0
	}
	n = at + int(size)
	if len(b) < n {
		return 0, nil, 0
	}
	return b[0], b[at+4 : n], n
}

// postgresParam gives the value of a parameter in a list of names and values that end in zero bytes.
func postgresParam(b []byte, name string) []byte {
	for len(b) > 0 {
		key, rest, _ := bytes.Cut(b, []byte{0})
		value, rest, _ := bytes.Cut(rest, []byte{0})
		if string(key) == name {
			return value
		}
		b = rest
	}
	return nil
}

// postgresError reads the code of an error: 28P01 is a wrong password. Others, as that no rule allows the client, judge none.
func postgresError(b []byte) Outcome {
	for len(b) > 1 {
		field, rest, _ := bytes.Cut(b[1:], []byte{0})
		if b[0] == 'C' && string(field) == "28P01" {
			return OutcomeFailure
		}
		b = rest
	}
	return OutcomeUnknown
}
