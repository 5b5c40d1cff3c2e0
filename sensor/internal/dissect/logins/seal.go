// SPDX-License-Identifier: Apache-2.0

package logins

import "crypto/sha256"

// Bounds of a pair. No device has longer ones by default.
const (
	maxUser     = 64
	maxPassword = 31 // a sealed password has its length before it
)

// secretKey is the key of the hashes of a table. It is in the file beside them: the hashes keep a ready list of passwords out of the file, of
// memory and of core dumps, and they do not keep a pair from somebody who guesses it.
type secretKey [32]byte

// What a hash is of.
const (
	ofUser  = 'u'
	ofPair  = 'p'
	ofSeal  = 's'
	ofProof = 'h'
)

// sum returns SHA-256 of the key, the kind, the scheme, a and b. What is hashed is a whole number of blocks, so that SHA-256 keeps none of it in
// a buffer of its own, and it is overwritten.
func (k *secretKey) sum(kind, scheme byte, a, b []byte) (out [sha256.Size]byte) {
	const blocks = 3 * sha256.BlockSize
	var buf [blocks]byte
	text := append(append(buf[:0], k[:]...), kind, scheme, byte(len(a)))
	text = append(append(text, a...), byte(len(b)))
	_ = append(text, b...)
	out = sha256.Sum256(buf[:])
	clear(buf[:])
	return out
}

type (
	userTag  [8]byte  // hash of a user name
	pairHash [16]byte // hash of user name and password
	sealed   [32]byte // password that only who knows the user name can read
)

func (k *secretKey) user(scheme byte, user []byte) userTag {
	sum := k.sum(ofUser, scheme, user, nil)
	return userTag(sum[:])
}

func (k *secretKey) pair(scheme byte, user, password []byte) pairHash {
	sum := k.sum(ofPair, scheme, user, password)
	return pairHash(sum[:])
}

// seal returns length and password, XOR a hash of the user name and of the pair.
func (k *secretKey) seal(scheme byte, user, password []byte) (out sealed) {
	out[0] = byte(len(password))
	copy(out[1:], password)
	pair := k.pair(scheme, user, password)
	k.mix(scheme, user, pair, &out)
	return out
}

// open returns the password, nil if user is not the user of the pair.
func (k *secretKey) open(scheme byte, user []byte, pair pairHash, s sealed) []byte {
	k.mix(scheme, user, pair, &s)
	if int(s[0]) > maxPassword {
		return nil
	}
	return s[1 : 1+s[0]]
}

func (k *secretKey) mix(scheme byte, user []byte, pair pairHash, s *sealed) {
	for i, c := range k.sum(ofSeal, scheme, user, pair[:]) {
		s[i] ^= c
	}
}
