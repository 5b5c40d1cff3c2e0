// SPDX-License-Identifier: Apache-2.0

// Package planted builds a capture with a secret in every known place: passwords, proofs, tokens and cookies of each protocol that has
// credentials. It finds these secrets in what a program writes or keeps.
package planted

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
)

// Secrets makes secrets that appear nowhere else, and keeps what each was used for.
type Secrets struct {
	use map[string]string // by secret
}

// New returns a set without secrets.
func New() *Secrets { return &Secrets{use: map[string]string{}} }

// New returns the secret of a use: the same in every run.
func (p *Secrets) New(use string) string {
	sum := sha256.Sum256([]byte(use))
	secret := "Zq9" + hex.EncodeToString(sum[:])[:13]
	p.use[secret] = use
	return secret
}

// forms are the spellings of a secret that are looked for: as it is, without its first and last character, in other cases, in hexadecimal,
// escaped, reversed, in UTF-16, as SQL Server obfuscates it, and in Base64 at each of the three alignments.
func forms(secret string) (all [][]byte) {
	all = append(all, []byte(secret[1:len(secret)-1]), []byte(strings.ToUpper(secret)), []byte(hex.EncodeToString([]byte(secret))), []byte(strings.ToUpper(hex.EncodeToString([]byte(secret)))))
	var escaped strings.Builder
	for _, c := range []byte(secret) {
		fmt.Fprintf(&escaped, "%%%02x", c)
	}
	all = append(all, []byte(escaped.String()), []byte(wide(secret)), []byte(obfuscated(secret)), []byte(url.QueryEscape(secret)))
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		text = strings.TrimRight(text, "=")
		all = append(all, []byte(text[4*min(shift, 1):len(text)-2]))
	}
	return all
}

// Found returns the uses of the secrets that are in a text.
func (p *Secrets) Found(text []byte) (uses []string) {
	for secret, use := range p.use {
		for _, form := range forms(secret) {
			if i := bytes.Index(text, form); i >= 0 {
				uses = append(uses, fmt.Sprintf("%s: …%q…", use, text[max(i-40, 0):min(i+40, len(text))]))
				break
			}
		}
	}
	return uses
}

// Forms returns all spellings of all secrets.
func (p *Secrets) Forms() (all [][]byte) {
	for secret := range p.use {
		all = append(all, forms(secret)...)
	}
	return all
}
