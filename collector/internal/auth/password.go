// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost holds the argon2id parameters. The zero value means DefaultCost.
type Cost struct {
	MemoryKiB uint32
	Passes    uint32
	Threads   uint8
}

// DefaultCost is the second recommended option of RFC 9106, section 4, for machines with little memory.
var DefaultCost = Cost{MemoryKiB: 64 << 10, Passes: 3, Threads: 4}

// The length of a password, in bytes. The maximum prevents requests that make the server hash megabytes.
const (
	MinPassword = 12
	MaxPassword = 1024
)

// maxCost limits the parameters of stored hashes, so that a manipulated row cannot exhaust the memory.
var maxCost = Cost{MemoryKiB: 1 << 20, Passes: 16, Threads: 16}

const (
	saltLen = 16
	hashLen = 32
)

var errHash = errors.New("not an argon2id hash")

// hasher computes and compares password hashes, at most two at a time: each needs Cost.MemoryKiB, and parallel sign-ins must not
// exhaust the memory.
type hasher struct {
	cost Cost
	busy chan struct{}
}

func newHasher(c Cost) *hasher {
	if c == (Cost{}) {
		c = DefaultCost
	}
	return &hasher{cost: c, busy: make(chan struct{}, 2)}
}

// hash returns the PHC string ($argon2id$v=19$m=,t=,p=$salt$hash) of a password with a new salt.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltLen)
	rand.Read(salt)
	sum, err := h.derive(ctx, password, salt, h.cost)
	if err != nil {
		return "", err
	}
	enc := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.MemoryKiB, h.cost.Passes, h.cost.Threads,
		enc(salt), enc(sum)), nil
}

// matches reports whether stored is a hash of password.
func (h *hasher) matches(ctx context.Context, stored, password string) (bool, error) {
	cost, salt, want, err := parseHash(stored)
	if err != nil {
		return false, err
	}
	got, err := h.derive(ctx, password, salt, cost)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func (h *hasher) derive(ctx context.Context, password string, salt []byte, c Cost) ([]byte, error) {
	select {
	case h.busy <- struct{}{}:
		defer func() { <-h.busy }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, c.Passes, c.MemoryKiB, c.Threads, hashLen), nil
}

func parseHash(s string) (c Cost, salt, sum []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.MemoryKiB, &c.Passes, &c.Threads); err != nil {
		return c, nil, nil, errHash
	}
	low := c.MemoryKiB == 0 || c.Passes == 0 || c.Threads == 0
	if low || c.MemoryKiB > maxCost.MemoryKiB || c.Passes > maxCost.Passes || c.Threads > maxCost.Threads {
		return c, nil, nil, errHash
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(salt) != saltLen {
		return c, nil, nil, errHash
	}
	if sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(sum) != hashLen {
		return c, nil, nil, errHash
	}
	return c, salt, sum, nil
}
