// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
)

// Salts from which the keys of Initial packets are made: RFC 9001 section 5.2, RFC 9369 section 3.3.1, the drafts of RFC 9001
// (29 to 32, 23 to 28), and those of Google QUIC.
const (
	quicSalt1    = "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
	quicSalt2    = "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
	quicSalt29   = "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
	quicSalt23   = "\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02"
	quicSaltQ050 = "\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45"
	quicSaltT050 = "\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10"
	quicSaltT051 = "\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d"
)

// quicKeysLike gives the versions whose keys a version may use. Those that force negotiation have none of their own: clients take
// what they know best.
func quicKeysLike(version uint32) []uint32 {
	if version&quicReservedMask == quicReserved {
		return []uint32{quicVersion1, quicDraft29}
	}
	return []uint32{version}
}

// quicSalt gives the salt of a version; for one that is not known, that of version 1.
func quicSalt(version uint32) string {
	switch {
	case version == quicVersion2:
		return quicSalt2
	case version >= quicDraft29 && version <= quicDraft32:
		return quicSalt29
	case version >= quicDraft23 && version <= quicDraft28, version == quicMvfst27, version == quicMvfstTest:
		return quicSalt23
	case version == quicGoogleQ050:
		return quicSaltQ050
	case version == quicGoogleT050:
		return quicSaltT050
	case version == quicGoogleT051:
		return quicSaltT051
	}
	return quicSalt1
}

// quicKeys protects the Initial packets of one direction (RFC 9001 section 5).
type quicKeys struct {
	aead   cipher.AEAD
	header cipher.Block
	iv     [12]byte
}

// quicInitialKeys makes the keys of direction dir from the destination connection id of the client's first packet. It gives
// nil only if the cryptographic library refuses, as it may under a policy.
func quicInitialKeys(version uint32, dcid []byte, dir int) *quicKeys {
	prefix, sender := "quic ", "client in"
	if version == quicVersion2 {
		prefix = "quicv2 "
	}
	if dir == FromServer {
		sender = "server in"
	}
	initial := quicHMAC([]byte(quicSalt(version)), dcid)
	secret := quicExpand(initial[:], "", sender, sha256.Size)
	key := quicExpand(secret[:], prefix, "key", 16)
	iv := quicExpand(secret[:], prefix, "iv", 12)
	hp := quicExpand(secret[:], prefix, "hp", 16)
	return newQUICKeys(key[:16], iv[:12], hp[:16])
}

func newQUICKeys(key, iv, hp []byte) *quicKeys {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	k := &quicKeys{}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil
	}
	if k.header, err = aes.NewCipher(hp); err != nil {
		return nil
	}
	copy(k.iv[:], iv)
	return k
}

// quicExpand is HKDF-Expand-Label with an empty context (RFC 8446 section 7.1), of at most one block; n bytes of it count.
func quicExpand(secret []byte, prefix, label string, n int) [sha256.Size]byte {
	const tls13, context, block = "tls13 ", 0, 1
	var buf [64]byte
	info := append(buf[:0], byte(n>>8), byte(n), byte(len(tls13)+len(prefix)+len(label)))
	info = append(append(append(info, tls13...), prefix...), label...)
	return quicHMAC(secret, append(info, context, block))
}

// quicHMAC is HMAC-SHA-256 (RFC 2104) with a key and a text that are both shorter than a block, as they are here: HKDF
// is the greater part of what a QUIC session costs, and most of that the states of the general form.
func quicHMAC(key, text []byte) [sha256.Size]byte {
	var inner, outer [2 * sha256.BlockSize]byte
	for i := range sha256.BlockSize {
		k := byte(0)
		if i < len(key) {
			k = key[i]
		}
		inner[i], outer[i] = k^0x36, k^0x5c
	}
	n := sha256.BlockSize + copy(inner[sha256.BlockSize:], text)
	sum := sha256.Sum256(inner[:n])
	n = sha256.BlockSize + copy(outer[sha256.BlockSize:], sum[:])
	return sha256.Sum256(outer[:n])
}

// open takes the protection off an Initial packet (RFC 9001 sections 5.3 and 5.4) and gives its frames, in room if they fit; nil if the
// packet is not protected by these keys. Packet numbers of Initials are small, so the truncated number stands for the whole one.
func (k *quicKeys) open(p *quicPacket, room []byte) []byte {
	const sampleAt = 4
	at := p.number + sampleAt
	if k == nil || len(p.all) < at+aes.BlockSize {
		return nil
	}
	var mask [aes.BlockSize]byte
	k.header.Encrypt(mask[:], p.all[at:at+aes.BlockSize])
	first := p.all[0] ^ mask[0]&0x0f
	n := int(first&3) + 1
	var buf [128]byte // holds a header, unless it has a long token
	head := append(buf[:0], p.all[:p.number+n]...)
	head[0] = first
	nonce := k.iv
	for i := range n {
		head[p.number+i] ^= mask[1+i]
		nonce[len(nonce)-n+i] ^= head[p.number+i]
	}
	frames, err := k.aead.Open(room[:0], nonce[:], p.all[p.number+n:], head)
	if err != nil {
		return nil
	}
	return frames
}
