// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// saslExchange follows AUTH of POP3 and AUTHENTICATE of IMAP: after the command the lines of the client are answers to challenges, and no
// commands (RFC 5034 section 4, RFC 9051 section 6.2.2). A result counts once a password or a proof was sent: a server may refuse the mechanism.
type saslExchange struct {
	kind  saslKind
	steps int // lines of the client that come next and are answers
}

// saslKind is what the answers of a mechanism hold.
type saslKind uint8

const (
	saslNone  saslKind = iota
	saslPlain          // user and password in one (RFC 4616)
	saslLogin          // the user name, then the password
	saslProof          // something else, as often as the server asks
)

// begin takes the command, with the first answer if it has one.
func (x *saslExchange) begin(mechanism, initial []byte, login *logins.Attempt) {
	switch {
	case parse.FoldEqual(mechanism, "plain"):
		x.kind, x.steps = saslPlain, 1
	case parse.FoldEqual(mechanism, "login"):
		x.kind, x.steps = saslLogin, 2
	default:
		x.kind, x.steps = saslProof, 0
		if len(initial) > 0 {
			x.steps = 1
		}
	}
	if len(initial) > 0 {
		x.step(initial, login)
	}
}

// step reads an answer.
func (x *saslExchange) step(text []byte, login *logins.Attempt) {
	var buf [96]byte
	x.steps--
	switch {
	case string(text) == "*": // the client gives up
		login.Pending, x.steps = false, 0
		login.Forget()
	case x.kind == saslPlain:
		login.Plain(text)
	case x.kind == saslLogin && x.steps > 0:
		login.Name(parse.Base64(buf[:], text))
	case x.kind == saslLogin:
		login.Password(parse.Base64(buf[:], text))
	default:
		login.Hint = ""
		login.Proof()
	}
	clear(buf[:])
}

// challenged notes that the server asks: the next line of the client is an answer.
func (x *saslExchange) challenged() {
	if x.kind == saslProof {
		x.steps = 1
	}
}
