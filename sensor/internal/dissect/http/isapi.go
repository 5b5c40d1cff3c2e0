// SPDX-License-Identifier: Apache-2.0

package http

import (
	"stillwatch/sensor/internal/dissect/logins"
	"stillwatch/sensor/internal/dissect/parse"
)

// isapiChallenge is the challenge of sessionLogin, which a camera of Hikvision sends for a user name (ISAPI, sessionLogin/capabilities).
type isapiChallenge struct {
	challenge, salt, salt2 string
	iterations             int
	irreversible           bool // the camera keeps a hash of the password
}

// maxISAPIRounds bounds the hashes of a challenge: cameras ask for 100.
const maxISAPIRounds = 128

// read reads a challenge, if a body has one.
func (c *isapiChallenge) read(body []byte) {
	const most = 128
	text := func(name string) string {
		b := isapiValue(body, name)
		if len(b) > most {
			return ""
		}
		return string(b)
	}
	if c.challenge = text("challenge"); c.challenge == "" {
		return
	}
	c.salt, c.salt2 = text("salt"), text("salt2")
	c.irreversible = text("isirreversible") == "true"
	c.iterations, _ = parse.Number(isapiValue(body, "iterations"))
}

// check returns the check of the proof that answers the challenge. It takes many hashes, so only passwords of the vendor are compared.
func (c *isapiChallenge) check(user string, sent logins.Proof) logins.Check {
	if c.challenge == "" || c.iterations < 1 || c.iterations > maxISAPIRounds {
		return logins.Check{}
	}
	challenge := *c
	return logins.NewVendorCheck([]byte(user), "Hikvision", func(password string) bool {
		return sent.Is(challenge.proof(user, password))
	})
}

// proof returns the proof of a password: SHA-256 in hexadecimal of the password, or of what the camera keeps of it, with the challenge, hashed
// again as often as the camera asks.
func (c *isapiChallenge) proof(user, password string) string {
	if !c.irreversible {
		return hashed(sha256Hex(password)+c.challenge, c.iterations-1)
	}
	kept := sha256Hex(user + c.salt + password)
	if c.salt2 != "" {
		kept = sha256Hex(user + c.salt2 + kept)
	}
	return hashed(sha256Hex(kept+c.challenge), c.iterations-2)
}

func hashed(text string, times int) string {
	for range times {
		text = sha256Hex(text)
	}
	return text
}
