// SPDX-License-Identifier: Apache-2.0

package quic

import (
	"crypto/sha256"
	"encoding"
	"hash"
)

// hmacKey is a key of HMAC-SHA-256 (RFC 2104): the states of SHA-256 after the inner and the outer pad, so that the
// pads are not hashed again for each text.
type hmacKey struct{ inner, outer [hmacStateLen]byte }

// hmacStateLen is the length of a state: a magic number, eight words, a block, a count.
const hmacStateLen = 4 + 8*4 + sha256.BlockSize + 8

// hmacSHA256 computes HMAC-SHA-256 with one digest and without allocation. The zero value is not ready to use; see
// newHMAC.
type hmacSHA256 struct {
	digest hash.Hash
	pad    [sha256.BlockSize]byte
	sum    [sha256.Size]byte
}

func newHMAC() hmacSHA256 { return hmacSHA256{digest: sha256.New()} }

// key makes a key of k, which must not be longer than a block.
func (h *hmacSHA256) key(into *hmacKey, k []byte) {
	h.padded(&into.inner, k, 0x36)
	h.padded(&into.outer, k, 0x5c)
}

func (h *hmacSHA256) padded(state *[hmacStateLen]byte, k []byte, with byte) {
	clear(h.pad[copy(h.pad[:], k):])
	for i := range h.pad {
		h.pad[i] ^= with
	}
	h.digest.Reset()
	h.digest.Write(h.pad[:])
	_, _ = h.digest.(encoding.BinaryAppender).AppendBinary(state[:0]) // SHA-256 never fails here, nor in of
	clear(h.pad[:])
}

// of returns the code of text, which is valid until the next call.
func (h *hmacSHA256) of(k *hmacKey, text []byte) []byte {
	load := h.digest.(encoding.BinaryUnmarshaler)
	_ = load.UnmarshalBinary(k.inner[:])
	h.digest.Write(text)
	h.digest.Sum(h.sum[:0])
	_ = load.UnmarshalBinary(k.outer[:])
	h.digest.Write(h.sum[:])
	return h.digest.Sum(h.sum[:0])
}
