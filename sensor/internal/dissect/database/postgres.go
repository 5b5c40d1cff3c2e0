// SPDX-License-Identifier: Apache-2.0

package database

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/match"
	"stillwatch/sensor/internal/dissect/protocol"
	"stillwatch/sensor/internal/dissect/tls"
)

var _ = Protocols.Add(protocol.Protocol{
	Name:  "postgresql",
	Signs: "start message, request for TLS, cancellation",
	Reads: "version, logins, TLS",
	Login: protocol.LoginExplicit,
	Streams: []protocol.Stream{
		{From: protocol.Client, Order: 160, Looks: LooksPostgres, New: NewPostgres},
	},
})

// postgresStream reads the login of PostgreSQL: requests for encryption, the startup message, what the server asks for,
// the answers and the result. It also reads TLS behind a request for encryption. (PostgreSQL documentation, "Message
// Flow: Start-up".)
type postgresStream struct {
	login    logins.Attempt
	pos      [2]int
	requests int  // unanswered requests for encryption
	started  bool // the startup message was seen
	method   uint32
	salt     [4]byte         // of a request for a hash
	user     string          // if it has default passwords
	proved   bool            // a password or a proof was sent
	early    dissect.Outcome // a result that arrived before the proof
	over     bool            // the result is known
	settled  bool            // the server has sent its parameters, or will send none
	stopped  bool
	tunnel   *tls.Upgrade
}

// NewPostgres returns a dissector of PostgreSQL.
func NewPostgres() dissect.Stream {
	return &postgresStream{login: logins.Attempt{Protocol: "postgresql"}}
}

const (
	postgresOK       = 0
	postgresPassword = 3
	postgresMD5      = 5
	// maxPostgresStartup bounds the messages before the end of the login.
	maxPostgresStartup = 10000
)

func (p *postgresStream) Feed(dir int, head []byte, final bool, sink dissect.Sink) int {
	for p.tunnel == nil && !p.stopped && (!p.over || dir == dissect.FromServer && !p.settled) {
		n := 0
		if dir == dissect.FromClient {
			n = p.client(head[min(p.pos[dir], len(head)):], sink)
		} else {
			n = p.server(head[min(p.pos[dir], len(head)):], sink)
		}
		if n == 0 {
			if final && dir == dissect.FromServer {
				p.login.Result(dissect.OutcomeUnknown, sink)
			}
			return len(head) + 1
		}
		p.pos[dir] += n
	}
	if p.tunnel != nil {
		return p.tunnel.Feed(dir, head, final, sink)
	}
	return 0
}

// client reads one message and returns its length, or 0 if it is not complete.
func (p *postgresStream) client(b []byte, sink dissect.Sink) int {
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
		user := postgresParam(body[4:], "user")
		p.login.Name(user)
		if logins.Known(user) {
			p.user = string(user)
		}
		return n
	}
	p.stopped = true
	return 0
}

// proof reads a password, or a step of a proof.
func (p *postgresStream) proof(body []byte, sink dissect.Sink) {
	if p.proved {
		return
	}
	p.proved = true
	if p.method == postgresPassword {
		p.login.Password(bytes.TrimRight(body, "\x00"))
	} else {
		p.login.Prove(p.check(body))
	}
	if p.early != dissect.OutcomeUnknown {
		p.result(p.early, sink)
	}
}

// check returns the check of a hash: "md5" and MD5 of the salt behind MD5 of password and user, in hexadecimal.
func (p *postgresStream) check(body []byte) logins.Check {
	if p.method != postgresMD5 || p.user == "" {
		return logins.Check{}
	}
	user, salt, sent := p.user, p.salt, logins.ProofOf(bytes.TrimRight(body, "\x00"))
	return logins.NewCheck([]byte(user), func(password string) bool {
		inner := md5.Sum([]byte(password + user))
		outer := md5.Sum(append([]byte(hex.EncodeToString(inner[:])), salt[:]...))
		return sent.Is("md5" + hex.EncodeToString(outer[:]))
	})
}

// server reads one message and returns its length, or 0 if it is not complete or must wait for the client.
func (p *postgresStream) server(b []byte, sink dissect.Sink) int {
	switch {
	case len(b) == 0:
		return 0
	case p.requests > 0:
		p.requests--
		if b[0] == 'S' || b[0] == 'G' {
			p.tunnel = &tls.Upgrade{From: [2]int{p.pos[dissect.FromClient], p.pos[dissect.FromServer] + 1}}
		}
		p.stopped = b[0] != 'S' && b[0] != 'N'
		return 1
	case !p.started, p.settled:
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
			copy(p.salt[:], body[4:])
		}
	case tag == 'E':
		p.settled = true
		p.result(postgresError(body), sink)
	case tag == 'S' || tag == 'K':
		if version := postgresParam(body, "server_version"); tag == 'S' && version != nil {
			p.settled = true
			reportVersion("postgresql", version, sink)
		}
	case tag == 'Z':
		p.settled = true
	case tag != 'N' && tag != 'v':
		p.stopped = true
	}
	return n
}

// accepted handles the end of a login. If the server asked for nothing, nobody had to prove anything, but the client is
// logged in.
func (p *postgresStream) accepted(sink dissect.Sink) {
	if p.method == 0 {
		p.login.Proof()
		p.proved = true
	}
	p.result(dissect.OutcomeSuccess, sink)
}

func (p *postgresStream) result(r dissect.Outcome, sink dissect.Sink) {
	if !p.proved && p.early == dissect.OutcomeUnknown && r != dissect.OutcomeUnknown {
		p.early = r // the proof has not been seen yet
		return
	}
	p.over = true
	p.login.Result(r, sink)
}

// message splits off a message: a tag, which a client's first message lacks, and a length that includes itself.
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

// postgresParam returns the value of a parameter in a list of names and values that end in zero bytes.
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

// postgresError reads the code of an error: 28P01 is a wrong password. With others, such as a client that no rule
// allows, no password was checked.
func postgresError(b []byte) dissect.Outcome {
	for len(b) > 1 {
		field, rest, _ := bytes.Cut(b[1:], []byte{0})
		if b[0] == 'C' && string(field) == "28P01" {
			return dissect.OutcomeFailure
		}
		b = rest
	}
	return dissect.OutcomeUnknown
}

// postgresSSL is the code of an SSLRequest, postgresGSS that of a request for GSSAPI encryption, postgresV3 the protocol of a
// startup message (PostgreSQL documentation, "Message Formats").
const (
	postgresSSL    = 80877103
	postgresCancel = 80877102
	postgresGSS    = 80877104
	postgresV3     = 3 << 16
)

// LooksPostgres recognizes a request for encryption, a request to cancel, or a startup message of PostgreSQL.
func LooksPostgres(head []byte, _ bool, _ dissect.Ports) match.Verdict {
	const request, cancel, maxStartup = 8, 16, 10000
	if head[0] != 0 || len(head) >= 2 && head[1] != 0 {
		return match.No
	}
	if len(head) < request {
		return match.Maybe
	}
	size, code := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	switch {
	case size == request && (code == postgresSSL || code == postgresGSS), size == cancel && code == postgresCancel:
		return match.Yes
	case code != postgresV3 || size < 9 || size > maxStartup:
		return match.No
	case len(head) < request+5:
		return match.Maybe
	case string(head[8:13]) == "user\x00", string(head[8:13]) == "datab", string(head[8:13]) == "clien", string(head[8:13]) == "appli":
		return match.Yes
	}
	return match.No
}
