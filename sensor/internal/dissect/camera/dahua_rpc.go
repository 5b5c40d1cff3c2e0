// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// RPCMessage is what a message of Dahua's JSON calls says about a login: over HTTP (RPC2_Login), DHIP or DVRIP. A login
// takes two calls: the first contains no proof and is refused with a challenge, the second contains a hash.
type RPCMessage struct {
	id       int
	Login    bool   // a call of global.login
	User     []byte // a slice of the message
	Password []byte
	answered bool // an answer
	ok       bool
	code     int // of the error
}

// ReadRPC reads a message of Dahua's JSON calls as far as it is about a login.
func ReadRPC(b []byte) (m RPCMessage) {
	m.id = -1
	parse.JSONMembers(b, func(depth int, key, value []byte) {
		switch {
		case depth == 1 && parse.FoldEqual(key, "method"):
			m.Login = string(value) == "global.login"
		case depth == 1 && parse.FoldEqual(key, "id"):
			m.id, _ = parse.Number(value)
		case depth == 1 && parse.FoldEqual(key, "result") && (string(value) == "true" || string(value) == "false"):
			m.answered, m.ok = true, string(value) == "true"
		case depth == 2 && parse.FoldEqual(key, "username"):
			m.User = value
		case depth == 2 && parse.FoldEqual(key, "password"):
			m.Password = value
		case depth == 2 && parse.FoldEqual(key, "code"):
			m.code, _ = parse.Number(value)
		}
	})
	return m
}

// Outcome returns the result of a login from its answer. proof reports whether a password or its hash was sent.
func (m *RPCMessage) Outcome(proof bool) dissect.Outcome {
	const accounts, challenge = 0x1003, 0x1003000f // the errors about accounts, and the challenge among them
	switch {
	case !m.answered:
	case m.ok:
		return dissect.OutcomeSuccess
	case proof && m.code>>16 == accounts && m.code != challenge:
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}

// HasProof reports whether a login contains a password or a hash of it.
func (m *RPCMessage) HasProof() bool { return len(bytes.TrimSpace(m.Password)) > 0 }
