// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
)

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// derive returns 26 characters, 130 bits of SHA-256. Each part is hashed with its length, so that no two lists of parts yield the same
// input.
func derive(kind string, at int64, parts ...string) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range append([]string{"stillwatch", kind}, parts...) {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	binary.BigEndian.PutUint64(n[:], uint64(at))
	h.Write(n[:])
	return idEncoding.EncodeToString(h.Sum(nil))[:26]
}

// alertID is derived from rule, device, dedupe key and the moment, on the capture clock, at which the window begins.
func alertID(k alertKey, start int64) string { return derive("alert", start, k.rule, k.device, k.key) }

func incidentID(device string, start int64) string { return derive("incident", start, device) }

// Hash returns a short name for the content of a document, such as the configuration or the inventory.
func Hash(content ...[]byte) string {
	h := sha256.New()
	var n [8]byte
	for _, c := range content {
		binary.BigEndian.PutUint64(n[:], uint64(len(c)))
		h.Write(n[:])
		h.Write(c)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
