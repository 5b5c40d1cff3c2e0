// SPDX-License-Identifier: Apache-2.0

package http

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"

	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// readDigest computes the response again with the default passwords of the user. A nonce protects a password that
// nobody knows, not one that everybody knows.
func (c *credentials) readDigest(method string, params []byte) {
	user := authParam(params, "username")
	c.userHint, c.account, c.nonce = logins.Hint(user), logins.Sum64(user), logins.Sum64(authParam(params, "nonce"))
	count := bytes.TrimLeft(authParam(params, "nc"), "0")
	c.reused = len(count) > 0 && string(count) != "1"
	algorithm := authParam(params, "algorithm")
	if len(algorithm) > 0 && !parse.FoldEqual(algorithm, "md5") {
		return
	}
	want := authParam(params, "response")
	if len(want) != hex.EncodedLen(md5.Size) {
		return
	}
	end := digestEnd(method, params)
	for _, password := range logins.DefaultPasswords(user) {
		if sum := digestResponse(user, authParam(params, "realm"), password, end); parse.FoldEqual(want, string(sum[:])) {
			c.defaults = true
			return
		}
	}
}

// digestResponse returns the response of RFC 7616 section 3.4.1. end is what follows the first hash.
func digestResponse(user, realm []byte, password string, end []byte) [32]byte {
	first := make([]byte, 0, 128)
	first = append(append(append(first, user...), ':'), realm...)
	first = append(append(first, ':'), password...)
	ha1 := md5Hex(first)
	return md5Hex(append(ha1[:], end...))
}

// digestEnd returns the nonce, the counters if there is a quality of protection (RFC 2069 has none), and the hash of
// method and URI.
func digestEnd(method string, params []byte) []byte {
	ha2 := md5Hex(append(append([]byte(method), ':'), authParam(params, "uri")...))
	end := append([]byte{':'}, authParam(params, "nonce")...)
	if qop := authParam(params, "qop"); len(qop) > 0 {
		end = append(append(end, ':'), authParam(params, "nc")...)
		end = append(append(end, ':'), authParam(params, "cnonce")...)
		end = append(append(end, ':'), qop...)
	}
	return append(append(end, ':'), ha2[:]...)
}

func md5Hex(b []byte) (out [32]byte) {
	sum := md5.Sum(b)
	hex.Encode(out[:], sum[:])
	return out
}
