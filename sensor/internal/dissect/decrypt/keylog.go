// SPDX-License-Identifier: Apache-2.0

// Package decrypt reads what TLS 1.2 and 1.3 carry, with the secrets of a key log that a client or server has written. It needs no private
// key. Nothing that it decrypts is kept: dissectors read it as they read clear text, and its memory is overwritten.
package decrypt

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/tls"
)

// maxSessions bounds the sessions of a key log.
const maxSessions = 1 << 20

// KeyLog has the secrets of sessions, by the random of the client.
type KeyLog struct {
	secrets map[[32]byte]*secrets

	seen, decrypted atomic.Uint64
}

// secrets are those of one session. Of TLS 1.2 there is the master secret, of TLS 1.3 one for each direction.
type secrets struct {
	master                 []byte
	handshake, application [2][]byte
}

// Load reads a key log in the format of SSLKEYLOGFILE (draft-ietf-tls-keylogfile), which browsers, curl and OpenSSL write. Labels of other
// secrets are skipped. The error has file and line, and never a secret.
func Load(name string) (*KeyLog, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	k := &KeyLog{secrets: map[[32]byte]*secrets{}}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		if err := k.add(text); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	switch err := lines.Err(); {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(k.secrets) == 0:
		return nil, fmt.Errorf("%s: there is no secret in it: a line looks like CLIENT_RANDOM, 64 and 96 hexadecimal digits", name)
	}
	return k, nil
}

// add reads one line: label, client random, secret.
func (k *KeyLog) add(line string) error {
	parts := strings.Fields(line)
	if len(parts) != 3 {
		return fmt.Errorf("a line has a label, the random of the client and a secret; this one has %d words", len(parts))
	}
	random, err := hex.DecodeString(parts[1])
	if err != nil || len(random) != 32 {
		if parts[0] == "RSA" {
			return nil // an older form, by the encrypted premaster secret
		}
		return fmt.Errorf("the random of the client has 64 hexadecimal digits")
	}
	secret, err := hex.DecodeString(parts[2])
	if err != nil || len(secret) == 0 || len(secret) > 64 {
		return fmt.Errorf("the secret is a hexadecimal number of at most 128 digits")
	}
	s := k.secrets[[32]byte(random)]
	if s == nil {
		if len(k.secrets) >= maxSessions {
			return fmt.Errorf("there are more than %d sessions", maxSessions)
		}
		s = &secrets{}
		k.secrets[[32]byte(random)] = s
	}
	switch parts[0] {
	case "CLIENT_RANDOM":
		s.master = secret
	case "CLIENT_HANDSHAKE_TRAFFIC_SECRET":
		s.handshake[dissect.FromClient] = secret
	case "SERVER_HANDSHAKE_TRAFFIC_SECRET":
		s.handshake[dissect.FromServer] = secret
	case "CLIENT_TRAFFIC_SECRET_0":
		s.application[dissect.FromClient] = secret
	case "SERVER_TRAFFIC_SECRET_0":
		s.application[dissect.FromServer] = secret
	}
	return nil
}

// Use makes every TLS session that begins from now on be read with the key log.
func (k *KeyLog) Use() { tls.SetOpener(func() dissect.Stream { return k.open() }) }

// Sessions returns how many TLS sessions were seen with both hellos, and of how many something was decrypted.
func (k *KeyLog) Sessions() (seen, decrypted uint64) { return k.seen.Load(), k.decrypted.Load() }
