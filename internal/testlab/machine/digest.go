// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"crypto/md5" //nolint:gosec // RFC 2069 requires it, and cameras use it
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// The account of recorder and operator on cameras and recorder.
const (
	cameraUser     = "admin"
	cameraPassword = "Fj0rd-Larch-92"
)

// digest is the digest authentication of RFC 2069, without qop, which cameras and recorders still use.
type digest struct{ realm, nonce string }

func newDigest(realm string) digest {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it does not fail (package documentation)
	return digest{realm, hex.EncodeToString(b)}
}

// challenge returns the value of WWW-Authenticate.
func (d digest) challenge() string {
	return fmt.Sprintf(`Digest realm="%s", nonce="%s"`, d.realm, d.nonce)
}

// credentials returns the value of Authorization for a request.
func (d digest) credentials(method, uri string) string {
	sum := func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) } //nolint:gosec // see above
	response := sum(sum(cameraUser+":"+d.realm+":"+cameraPassword) + ":" + d.nonce + ":" + sum(method+":"+uri))
	return fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`, cameraUser, d.realm, d.nonce, uri, response)
}

// digestOf parses a challenge.
func digestOf(challenge string) digest {
	part := func(name string) string {
		_, rest, _ := strings.Cut(challenge, name+`="`)
		value, _, _ := strings.Cut(rest, `"`)
		return value
	}
	return digest{part("realm"), part("nonce")}
}
