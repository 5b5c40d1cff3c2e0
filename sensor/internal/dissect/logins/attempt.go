// SPDX-License-Identifier: Apache-2.0

// Package logins follows a login from its user name to its result, and knows the default passwords of devices. It keeps no password.
package logins

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// MaxAttempts is how many logins of one session are reported.
const MaxAttempts = 32

// Attempt is a login whose result is not known yet. It keeps the user name until the password arrives, and never keeps
// the password.
type Attempt struct {
	Protocol string // of the facts
	userBuf  [64]byte
	User     []byte // nil once the password arrived
	Hint     string
	Pending  bool // a password or a proof was sent, and its result is not known yet
	Defaults bool // user name and password are a well-known default pair
	Clear    bool // the password was sent in clear
	Reported int  // logins
}

// Name sets the user name.
func (a *Attempt) Name(user []byte) {
	a.Hint = Hint(user)
	a.User = append(a.userBuf[:0], user[:min(len(user), len(a.userBuf))]...)
}

// Password compares the password with the default ones and discards the password and the user name.
func (a *Attempt) Password(b []byte) {
	a.Pending, a.Clear = true, true
	a.Defaults = IsDefaultPair(a.User, b)
	a.Forget()
}

// Proof notes that the client proved that it knows a password without sending it.
func (a *Attempt) Proof() {
	a.Pending, a.Clear, a.Defaults = true, false, false
	a.Forget()
}

// Forget discards the user name.
func (a *Attempt) Forget() {
	clear(a.userBuf[:])
	a.User = nil
}

// Result reports the result of a pending attempt.
func (a *Attempt) Result(r dissect.Outcome, sink dissect.Sink) {
	if !a.Pending {
		return
	}
	a.Pending = false
	if a.Reported++; a.Reported <= MaxAttempts {
		sink(&dissect.Login{Protocol: a.Protocol, UserHint: a.Hint, Result: r, DefaultCredentials: a.Defaults, CleartextCredentials: a.Clear})
	}
}

// Plain reads the message of SASL PLAIN (RFC 4616): authorization identity, user and password, separated by zero bytes.
func (a *Attempt) Plain(text []byte) {
	var buf [192]byte
	_, pair, _ := bytes.Cut(parse.Base64(buf[:], text), []byte{0})
	user, password, _ := bytes.Cut(pair, []byte{0})
	a.Name(user)
	a.Password(password)
	clear(buf[:])
}
