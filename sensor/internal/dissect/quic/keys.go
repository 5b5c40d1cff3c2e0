// SPDX-License-Identifier: Apache-2.0

package quic

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"

	"stillwatch/sensor/internal/dissect"
)

// Salts for the keys of Initial packets: RFC 9001 section 5.2, RFC 9369 section 3.3.1, the drafts of RFC 9001 (29 to
// 32, 23 to 28, 22) and of RFC 9369, and those of Google QUIC.
var (
	salt1    = saltKey("\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a")
	salt2    = saltKey("\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9")
	salt29   = saltKey("\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99")
	salt23   = saltKey("\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02")
	salt22   = saltKey("\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a")
	salt2Old = saltKey("\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3")
	saltQ050 = saltKey("\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45")
	saltT050 = saltKey("\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10")
	saltT051 = saltKey("\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d")
)

// The labels of HKDF-Expand-Label (RFC 9001 sections 5.1 and 5.2, RFC 9369 section 3.3.2).
var (
	senders = [2][]byte{dissect.FromClient: expandLabel("client in", sha256.Size), dissect.FromServer: expandLabel("server in", sha256.Size)}
	labels1 = keyLabels("quic ")
	labels2 = keyLabels("quicv2 ")
)

// Sizes for the protection with AES-128-GCM.
const (
	keyLen   = 16
	nonceLen = 12
)

type labelSet struct{ key, iv, hp []byte }

func keyLabels(prefix string) labelSet {
	return labelSet{expandLabel(prefix+"key", keyLen), expandLabel(prefix+"iv", nonceLen), expandLabel(prefix+"hp", keyLen)}
}

// expandLabel returns the text that HKDF-Expand-Label (RFC 8446 section 7.1) hashes for n bytes, which fit one block,
// with an empty context.
func expandLabel(label string, n int) []byte {
	const tls13, context, block = "tls13 ", 0, 1
	b := []byte{byte(n >> 8), byte(n), byte(len(tls13) + len(label))}
	return append(append(append(b, tls13...), label...), context, block)
}

// keysLike returns the versions whose keys a version may use. One that forces negotiation has no keys of its own:
// clients use those of the version that they know best. Facebook's versions and unknown ones are usually a draft under
// another number.
func keysLike(version uint32) [4]uint32 {
	switch {
	case version&reservedMask == reserved || !isKnown(version):
		return [4]uint32{version1, draft29, draft23, draft22}
	case version&mvfstMask == mvfst:
		return [4]uint32{draft23, draft22, draft29, version1}
	}
	return [4]uint32{version}
}

// salt returns the salt of a version as an HMAC key, that of version 1 for an unknown version.
func salt(version uint32) *hmacKey {
	switch {
	case version == version2:
		return &salt2
	case version == version2Old:
		return &salt2Old
	case version >= draft29 && version <= draft32:
		return &salt29
	case version >= draft23 && version <= draft28:
		return &salt23
	case version == draft22:
		return &salt22
	case version == googleQ050:
		return &saltQ050
	case version == googleT050:
		return &saltT050
	case version == googleT051:
		return &saltT051
	}
	return &salt1
}

func saltKey(salt string) (key hmacKey) {
	h := newHMAC()
	h.key(&key, []byte(salt))
	return key
}

// room is the memory for deriving keys and decrypting packets: what is passed to the cryptographic library escapes to
// the heap.
type room struct {
	frames [maxFrames]byte
	head   [128]byte // holds a header, unless it has a long token
	mask   [aes.BlockSize]byte
	nonce  [nonceLen]byte
	hmac   hmacSHA256
	block  hmacKey
}

func newQUICRoom() *room { return &room{hmac: newHMAC()} }

// secretPair are the secrets of both directions (RFC 9001 section 5.2) for a version, which is 0 if there are none.
type secretPair struct {
	version uint32
	dirs    [2][sha256.Size]byte
}

// secrets derives the secrets from the destination connection id of the client's first packet.
func (r *room) secrets(version uint32, dcid []byte) (s secretPair) {
	s.version = version
	r.hmac.key(&r.block, r.hmac.of(salt(version), dcid))
	for dir := range s.dirs {
		copy(s.dirs[dir][:], r.hmac.of(&r.block, senders[dir]))
	}
	return s
}

// keySet protects the Initial packets of one direction (RFC 9001 section 5).
type keySet struct {
	aead   cipher.AEAD // nil: there are no keys
	header cipher.Block
	iv     [nonceLen]byte
}

// keys derives the keys of a direction. It fails only if the cryptographic library refuses, as it may under a policy.
func (r *room) keys(s *secretPair, dir int) (k keySet) {
	labels := &labels1
	if s.version == version2 || s.version == version2Old {
		labels = &labels2
	}
	r.hmac.key(&r.block, s.dirs[dir][:])
	var ok bool
	if k.aead, ok = aead(r.hmac.of(&r.block, labels.key)[:keyLen]); !ok {
		return keySet{}
	}
	copy(k.iv[:], r.hmac.of(&r.block, labels.iv))
	var err error
	if k.header, err = aes.NewCipher(r.hmac.of(&r.block, labels.hp)[:keyLen]); err != nil {
		return keySet{}
	}
	return k
}

func aead(key []byte) (cipher.AEAD, bool) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, false
	}
	aead, err := cipher.NewGCM(block)
	return aead, err == nil
}

// open removes the protection of an Initial packet (RFC 9001 sections 5.3 and 5.4) and returns its frames, in room if
// they fit. It returns nil if these keys do not protect the packet. Packet numbers of Initials are small, so the
// truncated number is taken for the whole one.
func (k *keySet) open(p *packet, room *room) []byte {
	const sampleAt = 4
	at := p.number + sampleAt
	if k.aead == nil || len(p.all) < at+aes.BlockSize {
		return nil
	}
	mask, nonce := room.mask[:], room.nonce[:]
	k.header.Encrypt(mask, p.all[at:at+aes.BlockSize])
	first := p.all[0] ^ mask[0]&0x0f
	n := int(first&3) + 1
	head := append(room.head[:0], p.all[:p.number+n]...)
	head[0] = first
	copy(nonce, k.iv[:])
	for i := range n {
		head[p.number+i] ^= mask[1+i]
		nonce[len(nonce)-n+i] ^= head[p.number+i]
	}
	frames, err := k.aead.Open(room.frames[:0], nonce, p.all[p.number+n:], head)
	if err != nil {
		return nil
	}
	return frames
}
