// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
)

// Check computes a proof of a password again with the default passwords of the user: a challenge protects a password that nobody else knows,
// not one that everybody knows. It is made when the proof is read and used only once the server has accepted it, so that a flood of guesses
// costs nothing. The zero value has nothing to compare.
type Check struct {
	passwords []string
	matches   func(password string) bool
}

// NewCheck returns the check of a proof by user. matches reports whether a password yields the proof. It is a function of copies: what it was
// read from is overwritten.
func NewCheck(user []byte, matches func(password string) bool) Check {
	return Check{defaults[string(user)], matches}
}

// Known reports whether the user has default passwords, without which a proof need not be copied.
func Known(user []byte) bool { return len(defaults[string(user)]) > 0 }

// IsZero reports whether there is nothing to compare.
func (c *Check) IsZero() bool { return c.matches == nil }

// Default reports whether the proof was made with a default password.
func (c *Check) Default() bool {
	if c.matches == nil {
		return false
	}
	for _, p := range c.passwords {
		if c.matches(p) {
			return true
		}
	}
	return false
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
	sent := string(hash)
	return NewCheck(user, func(password string) bool {
		sum := Sofia(password)
		return sent == string(sum[:]) || sent == password
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
func DahuaCheck(user, proof []byte, realm, random string) Check {
	if !Known(user) {
		return Check{}
	}
	name, sent := string(user), string(proof)
	return NewCheck(user, func(password string) bool {
		return sent == password || random != "" && sent == Dahua(name, realm, random, password)
	})
}
