// SPDX-License-Identifier: Apache-2.0

package mask

import (
	"bytes"

	"stillwatch/sensor/internal/dissect/parse"
)

// secretWords mark the name of a parameter as secret wherever they occur in it. secretNames do so only as the whole
// name or as its last part.
var (
	secretWords = [...]string{"pass", "pwd", "psw", "token", "auth", "key", "secret", "session", "cred", "signature", "digest", "nonce", "otp", "cookie", "ticket", "jwt", "usrpw", "userpw"}
	secretNames = [...]string{"pw", "p", "sid", "sso", "pin", "pas", "loginpas", "adminpw", "rootpw", "sig", "code", "hash", "response", "md5"}
)

// maxSecretName is how much of the end of a name is checked.
const maxSecretName = 48

// namedSecret returns the index in b at which a value with a secret name begins, or -1. The name ends with an equals
// sign or, if colons is set, as in JSON, with a colon. Both may be percent-encoded.
func namedSecret(b []byte, colons bool) int {
	var buf [2 * maxSecretName]byte
	name := buf[:0]
	for i := 0; i < len(b); {
		c, w := unescaped(b[i:])
		i += w
		switch c {
		case '=', ':':
			// A name with a dot before a colon is a host before its port.
			if (c == '=' || colons && bytes.IndexByte(name, '.') < 0) && i < len(b) && isSecretName(name) {
				return i
			}
			name = buf[:0]
		case '?', '&', ';', '#', '/', ',', '{', '(':
			name = buf[:0]
		case '"', '\'', '\\', ' ', '\t', '+':
		default:
			if len(name) == cap(name) {
				name = buf[:copy(buf[:], name[maxSecretName:])]
			}
			name = append(name, c)
		}
	}
	return -1
}

// unescaped returns the first character of b, which must not be empty, and its width. It resolves percent-encoding,
// also where the percent sign itself is encoded.
func unescaped(b []byte) (c byte, width int) {
	if c = b[0]; c != '%' || len(b) < 3 || !parse.IsHex(b[1]) || !parse.IsHex(b[2]) {
		return c, 1
	}
	c, width = parse.HexValue(b[1])<<4|parse.HexValue(b[2]), 3
	for c == '%' && len(b) >= width+2 && parse.IsHex(b[width]) && parse.IsHex(b[width+1]) {
		c = parse.HexValue(b[width])<<4 | parse.HexValue(b[width+1])
		width += 2
	}
	return c, width
}

// isSecretName reports whether the value of a parameter with this name must not be kept.
func isSecretName(name []byte) bool {
	if len(name) > maxSecretName {
		name = name[len(name)-maxSecretName:]
	}
	for _, w := range secretWords {
		if parse.FoldContains(name, w) {
			return true
		}
	}
	name = bytes.TrimRight(name, "]")
	if i := bytes.LastIndexAny(name, "_.-[$"); i >= 0 {
		name = name[i+1:]
	}
	return parse.IsOneOf(name, secretNames[:])
}
