// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// credentials is what may be kept about the credentials of a request, never the credentials themselves.
type credentials struct {
	scheme    string // lower case, "" if the request had none
	userHint  string
	defaults  bool // a well-known default pair
	cleartext bool
	midway    bool   // a step of a handshake that contains no proof yet
	reused    bool   // the nonce was used before, as its count shows
	account   uint64 // hash of the user of Digest, of user and password of Basic: recognizes them within the session
	nonce     uint64 // hash of the nonce
	check     logins.Check
	user      string       // of RPC2 and sessionLogin, whose challenge is in an earlier response: a user that has default passwords,
	sent      logins.Proof // and the hash of what it sent
	isapi     bool         // of sessionLogin
}

// authSchemes are the names that may appear in a record. Any other first word of the header could be the secret itself.
var authSchemes = [...]string{"basic", "digest", "bearer", "ntlm", "negotiate", "hoba", "mutual", "scram-sha-1", "scram-sha-256", "aws4-hmac-sha256"}

// readAuthorization reads the value of an Authorization header (RFC 7617, RFC 7616). method is that of the request.
func readAuthorization(method string, value []byte) (c credentials) {
	scheme, rest := parse.Word(value)
	c.scheme = "other"
	for _, s := range authSchemes {
		if parse.FoldEqual(scheme, s) {
			c.scheme = s
		}
	}
	switch c.scheme {
	case "basic":
		c.readBasic(rest)
	case "digest":
		c.readDigest(method, rest)
	case "ntlm", "negotiate":
		// An NTLM message of type 1 begins with this (MS-NLMP section 2.2.1.1). The proof is in type 3.
		c.midway = bytes.HasPrefix(rest, []byte("TlRMTVNTUAAB"))
	}
	return c
}

func (c *credentials) readBasic(token []byte) {
	var buf [192]byte
	c.cleartext, c.account = true, logins.Sum64(token)
	user, password, ok := bytes.Cut(parse.Base64(buf[:], token), []byte(":"))
	if !ok {
		return
	}
	c.userHint = logins.Hint(user)
	c.defaults = logins.IsDefaultPair(user, password)
	clear(buf[:])
}

// authState is what a session keeps of the credentials that were accepted in it.
type authState struct {
	accepted      uint64
	checked       uint64 // account whose proof was compared with the default passwords
	wellKnown     bool   // and the result
	realm, random string // the last challenge of RPC2
	isapi         isapiChallenge
}

// isDefault reports whether credentials are a default pair. A proof is computed again only if the server accepted it, and once for each
// account of a session.
func (a *authState) isDefault(c *credentials, result dissect.Outcome) bool {
	check := c.check
	switch {
	case c.isapi:
		check = a.isapi.check(c.user, c.sent)
	case c.user != "":
		check = logins.DahuaCheck([]byte(c.user), c.sent, a.realm, a.random)
	}
	if result != dissect.OutcomeSuccess || check.IsZero() {
		return c.defaults
	}
	if c.account == 0 || c.account != a.checked {
		a.checked, a.wellKnown = c.account, check.Default()
	}
	return c.defaults || a.wellKnown
}

// outcome returns the result of the credentials of a request, from its response. It is a failure only if the server
// checked a password: not if none was sent, if the server does not offer the scheme (RFC 9110 section 11.6.1), if only
// the nonce expired (RFC 7616 section 3.3), in the middle of a handshake, or if the same credentials were accepted
// before in the session. A redirection proves nothing: it may come before the check as well as after it.
func (a *authState) outcome(c *credentials, status int, ch *challenges) dissect.Outcome {
	switch {
	case c.scheme == "" || c.midway:
		return dissect.OutcomeUnknown
	case status == 401:
		return a.refused(c, ch)
	case c.scheme == "form":
		if status == 403 {
			return dissect.OutcomeFailure
		}
		return dissect.OutcomeUnknown // a page with "wrong password" comes with 200, too
	case status >= 200 && status < 300 || status == 304:
		if c.account != 0 {
			a.accepted = c.account
		}
		return dissect.OutcomeSuccess
	}
	return dissect.OutcomeUnknown
}

func (a *authState) refused(c *credentials, ch *challenges) dissect.Outcome {
	switch c.scheme {
	case "form":
		return dissect.OutcomeFailure
	case "basic", "digest", "ntlm":
	default:
		return dissect.OutcomeUnknown // a token expired, or a handshake continues
	}
	switch {
	case ch.any && ch.offered&schemeBit(c.scheme) == 0, ch.stale, ch.midway,
		c.account != 0 && c.account == a.accepted,
		c.reused && ch.nonce != 0 && ch.nonce != c.nonce:
		return dissect.OutcomeUnknown
	}
	return dissect.OutcomeFailure
}

// authParam returns the value of a parameter of a challenge or of credentials, without quotes.
func authParam(params []byte, name string) []byte {
	for len(params) > 0 {
		params = bytes.TrimLeft(params, ", \t")
		key, rest, ok := bytes.Cut(params, []byte("="))
		if !ok {
			return nil
		}
		var value []byte
		if len(rest) > 0 && rest[0] == '"' {
			value, rest = parse.Quoted(rest[1:])
		} else if i := bytes.IndexByte(rest, ','); i >= 0 {
			value, rest = rest[:i], rest[i:]
		} else {
			value, rest = rest, nil
		}
		if parse.FoldEqual(bytes.TrimSpace(key), name) {
			return bytes.TrimSpace(value)
		}
		params = rest
	}
	return nil
}

// challenges is what a response asks for (RFC 9110 section 11.6.1).
type challenges struct {
	any     bool
	offered uint32 // bit set of authSchemes
	realm   string
	stale   bool
	midway  bool   // contains the next step of a handshake
	nonce   uint64 // hash of the nonce of Digest
}

// schemeBit returns the bit of a scheme in challenges, or 0 if it is not in authSchemes.
func schemeBit(scheme string) uint32 {
	for i, s := range authSchemes {
		if s == scheme {
			return 1 << i
		}
	}
	return 0
}

// read reads the value of one WWW-Authenticate header, which may hold several challenges.
func (ch *challenges) read(v []byte) {
	for {
		v = bytes.TrimLeft(v, ", \t")
		n := bytes.IndexAny(v, "=\", \t")
		if n < 0 {
			n = len(v)
		}
		name, rest := v[:n], bytes.TrimLeft(v[n:], " \t")
		switch {
		case len(v) == 0:
			return
		case n == 0:
			v = v[1:]
		case len(rest) == 0 || rest[0] != '=':
			ch.scheme(name)
			v = rest
		default:
			v = ch.param(name, rest[1:])
		}
	}
}

func (ch *challenges) scheme(name []byte) {
	ch.any = true
	ch.midway = ch.midway || bytes.HasPrefix(name, []byte("TlRMTVNTUAAC")) // NTLM message of type 2
	for i, s := range authSchemes {
		if parse.FoldEqual(name, s) {
			ch.offered |= 1 << i
		}
	}
}

func (ch *challenges) param(name, v []byte) (rest []byte) {
	v = bytes.TrimLeft(v, " \t")
	var value []byte
	if len(v) > 0 && v[0] == '"' {
		value, rest = parse.Quoted(v[1:])
	} else if i := bytes.IndexByte(v, ','); i >= 0 {
		value, rest = bytes.TrimSpace(v[:i]), v[i:]
	} else {
		value = bytes.TrimSpace(v)
	}
	switch {
	case parse.FoldEqual(name, "realm") && ch.realm == "":
		ch.realm = parse.CleanText(value, 128)
	case parse.FoldEqual(name, "stale"):
		ch.stale = ch.stale || parse.FoldEqual(value, "true")
	case parse.FoldEqual(name, "nonce"):
		ch.nonce = logins.Sum64(value)
	case bytes.HasPrefix(name, []byte("TlRMTVNTUAAC")):
		ch.midway = true
	}
	return rest
}
