// SPDX-License-Identifier: Apache-2.0

// Package auth authenticates and authorizes requests to the collector. Users sign in with a password (argon2id) or a one-time link
// and get a session cookie; programs use API tokens. Only hashes of secrets are stored.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"go.uber.org/zap"

	"stillwatch/collector/internal/store"
)

// Errors that callers test with errors.Is. A rate-limited sign-in returns a *RateLimitError.
var (
	// ErrDenied means that a name, password, link, cookie, token or role is wrong. It does not say which.
	ErrDenied = errors.New("access denied")
	// ErrInput means that a name, password or role is invalid. The message says why.
	ErrInput = errors.New("invalid")
	// ErrNoCredentials means that the request has neither cookie nor token.
	ErrNoCredentials = errors.New("not signed in")
)

// Lifetimes.
const (
	sessionLife = 7 * 24 * time.Hour // since the sign-in
	sessionIdle = 12 * time.Hour     // since the last request by a person
	touchEvery  = time.Minute        // minimum time between updates of last-seen times
)

// Config configures an Auth.
type Config struct {
	Store store.Accounts
	// Secure means that the console uses TLS: cookies are then never sent unencrypted. Without TLS the console must listen on the
	// loopback interface only.
	Secure bool
	Cost   Cost             // of password hashes
	Now    func() time.Time // the wall clock; nil: time.Now
	Log    *zap.Logger      // nil: none
}

// Auth authenticates users and programs. Its methods are safe for concurrent use.
type Auth struct {
	store    store.Accounts
	secure   bool
	now      func() time.Time
	log      *zap.Logger
	hasher   *hasher
	limiter  *limiter
	rejected rejections
	dummy    func() string // a hash that no password matches
}

// New returns an Auth.
func New(c Config) *Auth {
	a := &Auth{store: c.Store, secure: c.Secure, now: c.Now, log: c.Log, hasher: newHasher(c.Cost), limiter: newLimiter()}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = zap.NewNop()
	}
	a.dummy = sync.OnceValue(func() string {
		h, err := a.hasher.hash(context.Background(), secret(""))
		if err != nil {
			return ""
		}
		return h
	})
	return a
}

// Identity is the authenticated sender of a request.
type Identity struct {
	Name    string // user name, or token:NAME
	Role    Role
	User    int64 // 0: a token created on the command line
	Token   bool  // authenticated by an API token
	CSRF    string
	session []byte // hash of the session's secret, nil for a token
}

// maxName is the maximum length of the names of users and tokens, in bytes.
const maxName = 64

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		const want = "1 to 64 letters, digits, dots, dashes, underscores or @, starting with a letter or digit"
		return fmt.Errorf("%w name %.80q: use %s", ErrInput, name, want)
	}
	return nil
}

func checkPassword(p string) error {
	switch n := len(p); {
	case n < MinPassword:
		return fmt.Errorf("%w password: it has %d bytes, fewer than %d", ErrInput, n, MinPassword)
	case n > MaxPassword:
		return fmt.Errorf("%w password: it has %d bytes, more than %d", ErrInput, n, MaxPassword)
	}
	return nil
}

// AddUser adds a user. by is the acting user for the audit log. A user with an empty password can sign in only with a link. Errors
// wrap store.ErrExists or ErrInput.
func (a *Auth) AddUser(ctx context.Context, by, name, password string, role Role) (store.User, error) {
	if err := checkName(name); err != nil {
		return store.User{}, err
	}
	if role.rank() == 0 {
		return store.User{}, fmt.Errorf("%w role %.40q", ErrInput, role)
	}
	u := store.User{Name: name, Role: string(role)}
	if password != "" {
		hash, err := a.passwordHash(ctx, password)
		if err != nil {
			return store.User{}, err
		}
		u.PasswordHash = hash
	}
	u, err := a.store.AddUser(ctx, u)
	if err != nil {
		return store.User{}, fmt.Errorf("add user %s: %w", name, err)
	}
	return u, a.audit(ctx, by, "user_add", name, string(role), "")
}

// SetPassword changes a password and ends all sessions of the user.
func (a *Auth) SetPassword(ctx context.Context, by, name, password string) error {
	u, err := a.store.UserByName(ctx, name)
	if err != nil {
		return fmt.Errorf("user %s: %w", name, err)
	}
	if u.PasswordHash, err = a.passwordHash(ctx, password); err != nil {
		return err
	}
	if err := a.store.UpdateUser(ctx, u); err != nil {
		return fmt.Errorf("user %s: %w", name, err)
	}
	if err := a.store.DeleteUserSessions(ctx, u.ID); err != nil {
		return fmt.Errorf("sessions of %s: %w", name, err)
	}
	return a.audit(ctx, by, "password_set", name, "", "")
}

func (a *Auth) passwordHash(ctx context.Context, password string) (string, error) {
	if err := checkPassword(password); err != nil {
		return "", err
	}
	return a.hasher.hash(ctx, password)
}

// audit writes an entry to the audit log. Callers must fail if it fails: no action without an audit entry.
func (a *Auth) audit(ctx context.Context, who, action, target, detail, remote string) error {
	e := store.AuditEntry{At: a.now(), User: who, Action: action, Target: target, Detail: detail, Remote: remote}
	if err := a.store.AddAudit(ctx, e); err != nil {
		return fmt.Errorf("audit %s: %w", action, err)
	}
	return nil
}

// Record writes an action of the identity of ctx to the audit log. Callers must fail if it fails.
func (a *Auth) Record(ctx context.Context, action, target, detail, remote string) error {
	return a.audit(ctx, From(ctx).Name, action, target, detail, remote)
}

// secret returns 256 random bits as text after prefix.
func secret(prefix string) string {
	b := make([]byte, 32)
	rand.Read(b)
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// hashOf returns the stored hash of a secret. Plain SHA-256 suffices, because secrets are random and cannot be guessed like passwords.
func hashOf(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}
