// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// rpcMessage is what a message of Dahua's JSON calls says of a login: over HTTP (RPC2_Login), DHIP or DVRIP. A login takes two calls: the first
// holds no proof and is refused with a challenge, the second holds a hash.
type rpcMessage struct {
	id       int
	login    bool   // a call of global.login
	user     []byte // points into the message
	password []byte
	answered bool // an answer
	ok       bool
	code     int // of the error
}

func readRPC(b []byte) (m rpcMessage) {
	m.id = -1
	jsonMembers(b, func(depth int, key, value []byte) {
		switch {
		case depth == 1 && foldEqual(key, "method"):
			m.login = string(value) == "global.login"
		case depth == 1 && foldEqual(key, "id"):
			m.id, _ = number(value)
		case depth == 1 && foldEqual(key, "result") && (string(value) == "true" || string(value) == "false"):
			m.answered, m.ok = true, string(value) == "true"
		case depth == 2 && foldEqual(key, "username"):
			m.user = value
		case depth == 2 && foldEqual(key, "password"):
			m.password = value
		case depth == 2 && foldEqual(key, "code"):
			m.code, _ = number(value)
		}
	})
	return m
}

// outcome says what an answer tells of a login; proof says whether a password or its hash was sent.
func (m *rpcMessage) outcome(proof bool) Outcome {
	const accounts, challenge = 0x1003, 0x1003000f // the errors of accounts, among them the challenge
	switch {
	case !m.answered:
	case m.ok:
		return OutcomeSuccess
	case proof && m.code>>16 == accounts && m.code != challenge:
		return OutcomeFailure
	}
	return OutcomeUnknown
}

// hasProof reports whether a login holds a password or a hash of it.
func (m *rpcMessage) hasProof() bool { return len(bytes.TrimSpace(m.password)) > 0 }
