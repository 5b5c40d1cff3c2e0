// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"

	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// readDigest reads the credentials of Digest (RFC 7616), and how to compute the response again.
func (c *credentials) readDigest(method string, params []byte) {
	user := authParam(params, "username")
	c.userHint, c.account, c.nonce = logins.Hint(user), logins.Sum64(user), logins.Sum64(authParam(params, "nonce"))
	count := bytes.TrimLeft(authParam(params, "nc"), "0")
	c.reused = len(count) > 0 && string(count) != "1"
	sum, session := digestAlgorithm(authParam(params, "algorithm"))
	qop := authParam(params, "qop")
	if sum == nil || !logins.Known(user) || len(qop) > 0 && !parse.FoldEqual(qop, "auth") {
		return
	}
	want := logins.LowerProof(authParam(params, "response"))
	first := string(user) + ":" + string(authParam(params, "realm")) + ":"
	salt := ":" + string(authParam(params, "nonce")) + ":" + string(authParam(params, "cnonce"))
	end := string(digestEnd(sum, method, params))
	c.check = logins.NewCheck(user, func(password string) bool {
		ha1 := sum(first + password)
		if session {
			ha1 = sum(ha1 + salt)
		}
		return want.Is(sum(ha1 + end))
	})
}

// digestAlgorithm returns the hash of an algorithm as text, nil if it is not known, and whether it is one of those with "-sess".
func digestAlgorithm(name []byte) (sum func(string) string, session bool) {
	base, session := bytes.CutSuffix(bytes.ToLower(name), []byte("-sess"))
	switch string(base) {
	case "", "md5":
		return md5Hex, session
	case "sha-256":
		return sha256Hex, session
	}
	return nil, false
}

// digestEnd returns what follows the first hash (RFC 7616 section 3.4.1): the nonce, the counters if there is a quality of protection
// (RFC 2069 has none), and the hash of method and URI.
func digestEnd(sum func(string) string, method string, params []byte) []byte {
	end := append([]byte{':'}, authParam(params, "nonce")...)
	if qop := authParam(params, "qop"); len(qop) > 0 {
		end = append(append(end, ':'), authParam(params, "nc")...)
		end = append(append(end, ':'), authParam(params, "cnonce")...)
		end = append(append(end, ':'), qop...)
	}
	return append(append(end, ':'), sum(method+":"+string(authParam(params, "uri")))...)
}

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// readToken reads a UsernameToken of WS-Security: the password in clear text, or the Base64 of SHA-1 of nonce, time and password (OASIS Web Services
// Security UsernameToken Profile 1.0, section 3.1).
func (c *credentials) readToken(body []byte) {
	user, password := parse.Element(body, "username"), parse.Element(body, "password")
	c.scheme, c.userHint = "wsse", logins.Hint(user)
	switch {
	case bytes.Contains(body, []byte("#PasswordText")):
		c.cleartext, c.defaults = true, logins.IsDefaultPair(user, password)
	case logins.Known(user):
		var room [96]byte
		want, start := logins.ProofOf(password), string(parse.Base64(room[:], parse.Element(body, "nonce")))+string(parse.Element(body, "created"))
		c.check = logins.NewCheck(user, func(password string) bool {
			sum := sha1.Sum([]byte(start + password))
			return want.Is(base64.StdEncoding.EncodeToString(sum[:]))
		})
	}
}
