// SPDX-License-Identifier: Apache-2.0

package quic

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
)

func TestHMAC(t *testing.T) {
	own := newHMAC()
	var k hmacKey
	for n := range sha256.BlockSize + 1 {
		key, text := []byte(strings.Repeat("k", n)), []byte(strings.Repeat("t", sha256.BlockSize-n))
		h := hmac.New(sha256.New, key)
		h.Write(text)
		own.key(&k, key)
		for range 2 {
			if got := own.of(&k, text); string(got) != string(h.Sum(nil)) {
				t.Errorf("key of %d bytes, text of %d", len(key), len(text))
			}
		}
	}
}
