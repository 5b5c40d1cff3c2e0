// SPDX-License-Identifier: Apache-2.0

package dissecttest

import (
	"encoding/base64"

	"stillwatch/sensor/internal/dissect"
)

// PlainAuth returns the message of SASL PLAIN in Base64.
func PlainAuth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

// EncodeBase64 returns s in Base64.
func EncodeBase64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// CleartextLogin returns the fact of a login whose password was sent in clear text.
func CleartextLogin(protocol, hint string, r dissect.Outcome, defaults bool) dissect.Login {
	return dissect.Login{Protocol: protocol, UserHint: hint, Result: r, DefaultCredentials: defaults, CleartextCredentials: true}
}
