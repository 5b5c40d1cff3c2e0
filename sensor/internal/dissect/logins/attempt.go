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
	Clear    bool // the password was sent in clear text
	Reported int  // logins
	check    Check
}

// Name sets the user name.
func (a *Attempt) Name(user []byte) {
	a.Hint = Hint(user)
	a.User = append(a.userBuf[:0], user[:min(len(user), len(a.userBuf))]...)
}

// Password compares the password with the default ones and discards the password and the user name.
func (a *Attempt) Password(b []byte) {
	a.Pending, a.Clear, a.check = true, true, Check{}
	a.Defaults = IsDefaultPair(a.User, b)
	a.Forget()
}

// Proof notes that the client proved that it knows a password without sending it.
func (a *Attempt) Proof() { a.Prove(Check{}) }

// Prove notes such a proof, and how to tell whether it was made with a default password.
func (a *Attempt) Prove(c Check) {
	a.Pending, a.Clear, a.Defaults, a.check = true, false, false, c
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
	if r == dissect.OutcomeSuccess && a.check.Default() {
		a.Defaults = true
	}
	a.check = Check{}
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
