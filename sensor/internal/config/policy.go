// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// PolicyKey is a public key whose policies the sensor takes.
type PolicyKey struct {
	Name   string
	Public ed25519.PublicKey
	Kinds  []string // kinds of policies that it may sign; nil: all
	Sites  []string // sites for which it may; nil: all
}

// maxPolicyKeys bounds the keys, because one line of the configuration is enough for each signer.
const maxPolicyKeys = 100

func (c *Config) readPolicy(m *mapping) {
	names := map[string]bool{}
	m.each("keys", func(v *value) {
		k := v.doc.asMapping(v.node, "a key")
		if k == nil {
			return
		}
		x := readPolicyKey(k)
		switch {
		case names[x.Name]:
			k.failKey("name", "there are two keys with the name %q", x.Name)
		case len(c.PolicyKeys) >= maxPolicyKeys:
			k.fail("there are more than %d keys", maxPolicyKeys)
		case slices.ContainsFunc(c.PolicyKeys, func(y PolicyKey) bool { return x.Public != nil && y.Public.Equal(x.Public) }):
			k.failKey("key", "the same key is there twice")
		}
		names[x.Name] = true
		c.PolicyKeys = append(c.PolicyKeys, x)
	})
	m.done()
}

func readPolicyKey(m *mapping) (k PolicyKey) {
	for _, key := range []string{"name", "key"} {
		if m.find(key) == nil {
			m.fail("%s is missing", key)
		}
	}
	m.text("name", &k.Name)
	k.Public = readOne(m, "key", parsePublicKey)
	m.each("kinds", func(v *value) {
		kind := v.string()
		if known := schemas.PolicyKinds(); !v.failed && !slices.Contains(known, kind) {
			v.fail("%q is not a kind of policy; the kinds are %s", kind, strings.Join(known, ", "))
		}
		k.Kinds = append(k.Kinds, kind)
	})
	m.each("sites", func(v *value) { k.Sites = append(k.Sites, v.string()) })
	for key, list := range map[string][]string{"kinds": k.Kinds, "sites": k.Sites} {
		if m.find(key) != nil && len(list) == 0 {
			m.failKey(key, "%s must not be empty: leave it out to allow all", key)
		}
	}
	m.done()
	return k
}

func parsePublicKey(s string) (ed25519.PublicKey, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is no public key: 'stillwatch-sensor policy keygen' prints it", shortened(s))
	}
	return b, nil
}
