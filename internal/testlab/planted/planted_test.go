// SPDX-License-Identifier: Apache-2.0

package planted

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"testing"
)

// TestSecretsAreFound checks the search itself on the capture, where all secrets are.
func TestSecretsAreFound(t *testing.T) {
	p := New()
	n, _, _ := Capture(p)
	var b bytes.Buffer
	if _, err := n.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if n := len(p.Found(b.Bytes())); n < len(p.use)-1 { // the one that is typed is in as many packets as it has characters
		t.Errorf("%d of %d secrets are found in the capture", n, len(p.use))
	}
	for secret := range p.use {
		for _, text := range []string{secret, "a" + secret + "b", base64.StdEncoding.EncodeToString([]byte("u:" + secret)), base64.StdEncoding.EncodeToString([]byte("ab:" + secret + "c")), hex.EncodeToString([]byte(secret))} {
			if len(p.Found([]byte(text))) != 1 {
				t.Fatalf("%q is not found", text)
			}
		}
		break
	}
}
