// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// algorithms is all that a signature may use: Ed25519 (RFC 8037).
var algorithms = []jose.SignatureAlgorithm{jose.EdDSA}

// KeyID returns the id of a public key: its thumbprint (RFC 7638) in base64url. A JWS names its key by it (kid).
func KeyID(public ed25519.PublicKey) string {
	k := jose.JSONWebKey{Key: public}
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return "" // the key has no valid size
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// PublicText returns the form in which a configuration lists a public key: the member x of the JWK (RFC 8037, section 2).
func PublicText(public ed25519.PublicKey) string { return base64.RawURLEncoding.EncodeToString(public) }

// NewKey returns a new private key as a JWK in one line of JSON.
func NewKey() (jwk []byte, public ed25519.PublicKey, err error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	jwk, err = json.Marshal(jose.JSONWebKey{Key: private, KeyID: KeyID(public), Algorithm: string(jose.EdDSA), Use: "sig"})
	return jwk, public, err
}

var errNoKey = errors.New("it is no private Ed25519 key (JWK): 'stillwatch-sensor policy keygen' writes one")

// ReadKey reads a private key that NewKey has written.
func ReadKey(jwk []byte) (ed25519.PrivateKey, error) {
	var k jose.JSONWebKey
	if json.Unmarshal(jwk, &k) != nil {
		return nil, errNoKey // the error of the library may quote the key
	}
	private, ok := k.Key.(ed25519.PrivateKey)
	if !ok {
		return nil, errNoKey
	}
	return private, nil
}

// Sign returns the JWS of a record in the compact form.
func Sign(record []byte, private ed25519.PrivateKey) (string, error) {
	public, _ := private.Public().(ed25519.PublicKey)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: private, KeyID: KeyID(public)}}, nil)
	if err != nil {
		return "", err
	}
	s, err := signer.Sign(record)
	if err != nil {
		return "", err
	}
	return s.CompactSerialize()
}

// Verify returns the payload of a JWS that Sign has made, if the key has signed it.
func Verify(jws string, public ed25519.PublicKey) ([]byte, error) {
	s, err := parseJWS(jws)
	if err != nil {
		return nil, err
	}
	return s.verify(public)
}

// Signer returns the id of the key that a JWS names, without looking at the signature.
func Signer(jws string) (string, error) {
	s, err := parseJWS(jws)
	return s.keyID, err
}

// signed is a parsed JWS. Its payload counts only if one of the trusted keys has signed it.
type signed struct {
	jws   *jose.JSONWebSignature
	keyID string
}

// parseJWS parses the compact form. It refuses what nobody needs in a policy: other algorithms, several signatures, keys and extensions in the header.
func parseJWS(s string) (signed, error) {
	j, err := jose.ParseSignedCompact(s, algorithms)
	switch {
	case err != nil:
		return signed{}, errors.New("it is no JWS in the compact form, signed with EdDSA; make one with 'stillwatch-sensor policy sign'")
	case len(j.Signatures) != 1 || j.Signatures[0].Protected.JSONWebKey != nil:
		return signed{}, errors.New("the header of the JWS has a key of its own")
	}
	for name := range j.Signatures[0].Protected.ExtraHeaders {
		if name != jose.HeaderType {
			return signed{}, fmt.Errorf("the header of the JWS has the member %.40q", string(name))
		}
	}
	return signed{j, j.Signatures[0].Protected.KeyID}, nil
}

// verify returns the payload if the key has signed it.
func (s signed) verify(public ed25519.PublicKey) ([]byte, error) { return s.jws.Verify(public) }

// unverified returns the payload without looking at the signature.
func (s signed) unverified() []byte { return s.jws.UnsafePayloadWithoutVerification() }
