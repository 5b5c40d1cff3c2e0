// SPDX-License-Identifier: Apache-2.0

package dissecttest

import (
	"encoding/base64"

	"stillwatch/sensor/internal/dissect"
)

func PlainAuth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
}

func EncodeBase64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func CleartextLogin(protocol, hint string, r dissect.Outcome, defaults bool) dissect.Login {
	return dissect.Login{Protocol: protocol, UserHint: hint, Result: r, DefaultCredentials: defaults, CleartextCredentials: true}
}
