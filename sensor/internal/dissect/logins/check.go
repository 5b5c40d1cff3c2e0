// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
)

// Check computes a proof of a password again with the default passwords of the user: a challenge protects a password that nobody else knows,
// not one that everybody knows. It is made when the proof is read and used only once the server has accepted it, so that a flood of guesses
// costs nothing. The zero value has nothing to compare.
type Check struct {
	scheme       byte
	user, vendor string
	matches      func(password string) bool
}

// NewCheck returns the check of a proof by user. matches reports whether a password yields the proof. It is a function of copies: what it was
// read from is overwritten. Of the proof it keeps a Proof.
func NewCheck(user []byte, matches func(password string) bool) Check {
	return Check{schemeLogin, string(user), "", matches}
}

// NewVendorCheck returns a check with the default passwords of one vendor, for a proof that costs much to compute.
func NewVendorCheck(user []byte, vendor string, matches func(password string) bool) Check {
	return Check{schemeLogin, string(user), vendor, matches}
}

// NewVNCCheck returns the check of a proof without a user name.
func NewVNCCheck(matches func(password string) bool) Check { return Check{schemeVNC, "", "", matches} }

// IsZero reports whether there is nothing to compare.
func (c *Check) IsZero() bool { return c.matches == nil }

// Default reports whether the proof was made with a default password.
func (c *Check) Default() bool {
	return c.matches != nil && InUse.Get().any(c.scheme, []byte(c.user), c.vendor, c.matches)
}

// Proof is a hash of what a client sent to prove that it knows a password. What was sent may serve to log in again, its hash does not. The key
// is that of this run. The zero value is of no proof.
type Proof [sha256.Size]byte

// MaxProof is the length in bytes of the longest proof that is compared.
const MaxProof = 128

var proofKey = sync.OnceValue(func() *secretKey {
	k := new(secretKey)
	_, _ = rand.Read(k[:]) // it never returns an error
	return k
})

// ProofOf returns the hash of a proof. Longer proofs than MaxProof have none.
func ProofOf(sent []byte) Proof {
	if len(sent) > MaxProof {
		return Proof{}
	}
	return proofKey().sum(ofProof, 0, sent, nil)
}

// LowerProof returns the hash of a proof in hexadecimal digits, which clients write in either case.
func LowerProof(sent []byte) Proof {
	var buf [MaxProof]byte
	if len(sent) > MaxProof {
		return Proof{}
	}
	for i, c := range sent {
		buf[i] = c
		if 'A' <= c && c <= 'Z' {
			buf[i] += 'a' - 'A'
		}
	}
	p := ProofOf(buf[:len(sent)])
	clear(buf[:])
	return p
}

// Is reports whether the proof was computed.
func (p *Proof) Is(computed string) bool {
	var buf [MaxProof]byte
	return len(computed) <= MaxProof && ProofOf(append(buf[:0], computed...)) == *p
}

// Sofia returns the hash of a password that Xiongmai and Dahua send instead of it: each pair of bytes of MD5 becomes a digit or letter.
func Sofia(password string) (out [8]byte) {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := md5.Sum([]byte(password))
	for i := range out {
		out[i] = digits[(int(sum[2*i])+int(sum[2*i+1]))%len(digits)]
	}
	return out
}

// SofiaCheck returns the check of such a hash. Some clients send the password itself.
func SofiaCheck(user, hash []byte) Check {
	if !Known(user) {
		return Check{}
	}
	sent := ProofOf(hash)
	return NewCheck(user, func(password string) bool {
		sum := Sofia(password)
		return sent.Is(string(sum[:])) || sent.Is(password)
	})
}

// Dahua returns the proof of global.login: MD5 of user, random and MD5 of user, realm and password, in upper case.
func Dahua(user, realm, random, password string) string {
	return upperMD5(user + ":" + random + ":" + upperMD5(user+":"+realm+":"+password))
}

func upperMD5(text string) string {
	sum := md5.Sum([]byte(text))
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// DahuaCheck returns the check of such a proof. Some clients send the password itself.
func DahuaCheck(user []byte, sent Proof, realm, random string) Check {
	if !Known(user) {
		return Check{}
	}
	name := string(user)
	return NewCheck(user, func(password string) bool {
		return sent.Is(password) || random != "" && sent.Is(Dahua(name, realm, random, password))
	})
}
