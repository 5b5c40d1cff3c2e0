// SPDX-License-Identifier: Apache-2.0

package lines

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"

	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// saslExchange follows AUTH of POP3 and AUTHENTICATE of IMAP. After the command the client's lines are responses to
// challenges, not commands (RFC 5034 section 4, RFC 9051 section 6.2.2). A result counts only once a password or a
// proof was sent, because a server may refuse the mechanism.
type saslExchange struct {
	kind      saslKind
	steps     int // next lines of the client that are responses
	challenge cramChallenge
}

// saslKind is what the responses of a mechanism contain.
type saslKind uint8

const (
	saslNone  saslKind = iota
	saslPlain          // user and password in one (RFC 4616)
	saslLogin          // the user name, then the password
	saslProof          // something else, as often as the server asks
	saslCRAM           // a user name and a hash (RFC 2195), after a challenge
)

// begin reads the command, and the initial response if there is one.
func (x *saslExchange) begin(mechanism, initial []byte, login *logins.Attempt) {
	switch {
	case parse.FoldEqual(mechanism, "plain"):
		x.kind, x.steps = saslPlain, 1
	case parse.FoldEqual(mechanism, "login"):
		x.kind, x.steps = saslLogin, 2
	default:
		x.kind, x.steps = saslProof, 0
		if parse.FoldEqual(mechanism, "cram-md5") {
			x.kind = saslCRAM
		}
		if len(initial) > 0 {
			x.steps = 1
		}
	}
	if len(initial) > 0 {
		x.step(initial, login)
	}
}

// step reads a response.
func (x *saslExchange) step(text []byte, login *logins.Attempt) {
	var buf [96]byte
	x.steps--
	switch {
	case string(text) == "*": // the client cancels
		login.Pending, x.steps = false, 0
		login.Forget()
	case x.kind == saslPlain:
		login.Plain(text)
	case x.kind == saslLogin && x.steps > 0:
		login.Name(parse.Base64(buf[:], text))
	case x.kind == saslLogin:
		login.Password(parse.Base64(buf[:], text))
	case x.kind == saslCRAM:
		x.challenge.answer(text, login)
	default:
		login.Hint = ""
		login.Proof()
	}
	clear(buf[:])
}

// challenged notes a challenge: the client's next line is a response.
func (x *saslExchange) challenged(text []byte) {
	if x.kind == saslCRAM {
		x.challenge.read(text)
	}
	if x.kind == saslProof || x.kind == saslCRAM {
		x.steps = 1
	}
}

// cramChallenge is the challenge of CRAM-MD5 (RFC 2195): "" if there was none, or if it is too long to be one.
type cramChallenge string

// read reads a challenge in Base64.
func (c *cramChallenge) read(text []byte) {
	var buf [192]byte
	*c = cramChallenge(parse.Base64(buf[:], text))
}

// answer reads the answer in Base64: the user name, and HMAC-MD5 of the challenge with the password as the key, in hexadecimal.
func (c *cramChallenge) answer(text []byte, login *logins.Attempt) {
	var buf [192]byte
	b := parse.Base64(buf[:], text)
	i := bytes.LastIndexByte(b, ' ')
	user, sent := b[:max(i, 0)], b[i+1:]
	login.Name(user)
	check := logins.Check{}
	if *c != "" && len(user) > 0 && logins.Known(user) {
		challenge, proof := []byte(*c), logins.LowerProof(sent)
		check = logins.NewCheck(user, func(password string) bool {
			h := hmac.New(md5.New, []byte(password))
			h.Write(challenge)
			return proof.Is(hex.EncodeToString(h.Sum(nil)))
		})
	}
	login.Prove(check)
	*c = ""
	clear(buf[:])
}
