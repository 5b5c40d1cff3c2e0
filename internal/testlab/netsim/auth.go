// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"crypto/md5" // RFC 2617 digests are MD5
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// Auth returns the value of the Authorization header for a request. A nil Auth sends none.
type Auth func(method, uri string) string

// Basic sends user name and password in cleartext (RFC 7617).
func Basic(user, password string) Auth {
	return func(string, string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
}

// Digest answers a challenge with MD5 and no qop (RFC 2069), as cameras do in RTSP.
func Digest(user, password, realm, nonce string) Auth {
	return func(method, uri string) string {
		a1 := hexMD5(user + ":" + realm + ":" + password)
		a2 := hexMD5(method + ":" + uri)
		return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`,
			user, realm, nonce, uri, hexMD5(a1+":"+nonce+":"+a2))
	}
}

// Nonce returns 32 hexadecimal digits.
func (n *Net) Nonce() string { return hex.EncodeToString(n.Bytes(16)) }

func hexMD5(s string) string {
	h := md5.Sum([]byte(s))
	return hex.EncodeToString(h[:])
}
