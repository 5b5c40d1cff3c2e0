// SPDX-License-Identifier: Apache-2.0

package dissect

import "bytes"

// credentials is what may be known of the credentials of a request: never the credentials.
type credentials struct {
	scheme    string // lower case, "" if none were given
	userHint  string
	defaults  bool // a well-known default pair
	cleartext bool
}

// authSchemes are the names that may go into a record. Any other first word of the header could be the secret itself.
var authSchemes = [...]string{"basic", "digest", "bearer", "ntlm", "negotiate", "hoba", "mutual", "scram-sha-1", "scram-sha-256", "aws4-hmac-sha256"}

// readAuthorization reads the value of an Authorization header (RFC 7617, RFC 7616) of a request with this method.
func readAuthorization(method string, value []byte) (c credentials) {
	scheme, rest := word(value)
	c.scheme = "other"
	for _, s := range authSchemes {
		if foldEqual(scheme, s) {
			c.scheme = s
		}
	}
	switch c.scheme {
	case "basic":
		c.readBasic(rest)
	case "digest":
		c.readDigest(method, rest)
	}
	return c
}

func (c *credentials) readBasic(token []byte) {
	var buf [192]byte
	c.cleartext = true
	user, password, ok := bytes.Cut(decodeBase64(buf[:], token), []byte(":"))
	if !ok {
		return
	}
	c.userHint = userHint(user)
	c.defaults = isDefaultPair(user, password)
	clear(buf[:])
}

// outcome says what a status tells of the credentials. A challenge without credentials is no failure, nor is a step of a
// handshake (NTLM, Negotiate) or a nonce that has grown old.
func (c credentials) outcome(status int, stale bool) Outcome {
	switch {
	case c.scheme == "" || stale:
		return OutcomeUnknown
	case status == 401 && (c.scheme == "ntlm" || c.scheme == "negotiate"):
		return OutcomeUnknown
	case status == 401 || status == 403:
		return OutcomeFailure
	case c.scheme == "form":
		return OutcomeUnknown // a page that says "wrong password" comes with 200, too
	case status >= 200 && status < 400:
		return OutcomeSuccess
	}
	return OutcomeUnknown
}

// authParam gives the value of one parameter of a challenge or of credentials, without quotes.
func authParam(params []byte, name string) []byte {
	for len(params) > 0 {
		params = bytes.TrimLeft(params, ", \t")
		key, rest, ok := bytes.Cut(params, []byte("="))
		if !ok {
			return nil
		}
		var value []byte
		if len(rest) > 0 && rest[0] == '"' {
			value, rest = quoted(rest[1:])
		} else if i := bytes.IndexByte(rest, ','); i >= 0 {
			value, rest = rest[:i], rest[i:]
		} else {
			value, rest = rest, nil
		}
		if foldEqual(bytes.TrimSpace(key), name) {
			return bytes.TrimSpace(value)
		}
		params = rest
	}
	return nil
}

// quoted splits b after a closing quote; escapes stay as they are.
func quoted(b []byte) (value, rest []byte) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// challenge reads the value of a WWW-Authenticate header.
func challenge(value []byte) (realm string, stale bool) {
	_, params := word(value)
	return cleanText(authParam(params, "realm"), 128), foldEqual(authParam(params, "stale"), "true")
}
