// SPDX-License-Identifier: Apache-2.0

package camera

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/parse"
)

// RPCMessage is what a message of Dahua's JSON calls says of a login: over HTTP (RPC2_Login), DHIP or DVRIP. A login takes two calls: the first
// holds no proof and is refused with a challenge, the second holds a hash.
type RPCMessage struct {
	id       int
	Login    bool   // a call of global.login
	User     []byte // points into the message
	Password []byte
	answered bool // an answer
	ok       bool
	code     int // of the error
}

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

// Outcome reports what an answer tells of a login; proof reports whether a password or its hash was sent.
func (m *RPCMessage) Outcome(proof bool) dissect.Outcome {
	const accounts, challenge = 0x1003, 0x1003000f // the errors of accounts, among them the challenge
	switch {
	case !m.answered:
	case m.ok:
		return dissect.OutcomeSuccess
	case proof && m.code>>16 == accounts && m.code != challenge:
		return dissect.OutcomeFailure
	}
	return dissect.OutcomeUnknown
}

// hasProof reports whether a login holds a password or a hash of it.
func (m *RPCMessage) HasProof() bool { return len(bytes.TrimSpace(m.Password)) > 0 }
