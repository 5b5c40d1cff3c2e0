// SPDX-License-Identifier: Apache-2.0

package mask

import (
	"bytes"

	"stillwatch/sensor/internal/dissect/parse"
)

// knownUsers are user names: what follows one and a colon is a password, whatever it looks like. knownSchemes come
// before a colon in values that are no secret.
var (
	knownUsers   = [...]string{"admin", "administrator", "root", "user", "guest", "operator", "supervisor", "service", "support", "default", "viewer", "ubnt", "admin1", "888888", "666666"}
	knownSchemes = [...]string{"urn", "sip", "sips", "tel", "mailto", "uuid", "data", "javascript", "site"}
)

// hasSecretShape reports whether a value looks like "user:password", also in Base64, or like a URL that contains one.
func hasSecretShape(value []byte) bool {
	if len(value) < 3 || string(value) == exploitAuth {
		return false
	}
	var buf [512]byte
	plain := buf[:0]
	for i := 0; i < len(value) && len(plain) < len(buf); {
		c, w := unescaped(value[i:])
		plain = append(plain, c)
		i += w
	}
	return isLoginPair(plain) || hasLoginBeforeAt(plain) || isBase64Pair(plain) ||
		isBase64Pair(plain[bytes.LastIndexAny(plain, " +")+1:])
}

// isLoginPair reports whether b is "user:password" and not a time, an address, a host with its port, or a name with a
// colon.
func isLoginPair(b []byte) bool {
	user, rest, ok := bytes.Cut(b, []byte(":"))
	if !ok || len(user) == 0 || len(user) > 48 || len(rest) == 0 || string(rest) == "/" || bytes.HasPrefix(rest, []byte("//")) {
		return false
	}
	for _, c := range user {
		if !isNameByte(c) && c != '@' {
			return false
		}
	}
	switch {
	case parse.IsOneOf(user, knownUsers[:]):
		return true
	case parse.IsOneOf(user, knownSchemes[:]), isMadeOf(rest, "0123456789."), isMadeOf(b, "0123456789:.-TZ+"):
		return false
	}
	return bytes.IndexByte(rest, ':') < 0 || !isMadeOf(b, "0123456789abcdefABCDEF:.")
}

// hasLoginBeforeAt reports whether b contains "user:password@", also within a URL.
func hasLoginBeforeAt(b []byte) bool {
	at := bytes.LastIndexByte(b, '@')
	if at < 0 {
		return false
	}
	before := b[:at]
	if i := bytes.Index(before, []byte("://")); i >= 0 {
		return bytes.IndexByte(before[i+3:], ':') >= 0
	}
	return bytes.IndexByte(before[bytes.LastIndexAny(before, "/ ")+1:], ':') > 0
}

// isBase64Pair reports whether b is the Base64 form of "user:password".
func isBase64Pair(b []byte) bool {
	var buf [192]byte
	if len(b) < 6 || len(b) > 256 || string(b) == exploitAuth {
		return false
	}
	plain := parse.Base64(buf[:], b)
	user, rest, ok := bytes.Cut(plain, []byte(":"))
	pair := ok && len(user) > 0 && len(rest) > 0 && parse.IsPlain(user) && parse.IsPlain(bytes.TrimRight(rest, "\r\n"))
	clear(buf[:])
	return pair
}

// isOpaque reports whether a parameter without a name is long and mixes letters and digits, as tokens do.
func isOpaque(b []byte) bool {
	const least = 20
	if len(b) < least || !bytes.ContainsAny(b, "0123456789") {
		return false
	}
	for _, c := range b {
		if !isNameByte(c) && c != '=' && c != '+' || c == '.' {
			return false
		}
	}
	return true
}

func isNameByte(c byte) bool {
	return 'a' <= parse.Lower(c) && parse.Lower(c) <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-' || c == '.'
}

func isLetters(b []byte) bool {
	for _, c := range b {
		if parse.Lower(c) < 'a' || parse.Lower(c) > 'z' {
			return false
		}
	}
	return true
}

func isNumber(b []byte) bool { return len(b) > 0 && isMadeOf(b, "0123456789") }

func isMadeOf(b []byte, set string) bool { return len(bytes.Trim(b, set)) == 0 }
