// SPDX-License-Identifier: Apache-2.0

// Package auth decides who may use the collector: people by password (argon2id) and session cookie, or once by a link;
// programs by API token. Secrets are random, and only their hashes are stored.
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

// Errors that a caller decides on; test with errors.Is. A sign-in that comes too soon is a *TooSoonError.
var (
	// ErrRefused: a wrong name, password, link, cookie or token. It never says which.
	ErrRefused = errors.New("not let in")
	// ErrInput: a name, password or role that cannot be used; its message says why.
	ErrInput = errors.New("not usable")
	// ErrNobody: the request carries neither cookie nor token.
	ErrNobody = errors.New("not signed in")
)

// How long things last.
const (
	sessionLife = 7 * 24 * time.Hour // from the sign-in
	sessionIdle = 12 * time.Hour     // since the last request that a person made
	touchEvery  = time.Minute        // last-seen times are not written more often
)

// Config is what an Auth needs.
type Config struct {
	Store store.Accounts
	// Secure says that the console is reached over TLS: cookies are then never sent in clear. Without it they are, which is
	// for the loopback interface alone.
	Secure bool
	Cost   Cost             // of a password hash
	Now    func() time.Time // the wall clock; nil: time.Now
	Log    *zap.Logger      // nil: none
}

// Auth is the door. All methods may be called at once from many goroutines.
type Auth struct {
	store    store.Accounts
	secure   bool
	now      func() time.Time
	log      *zap.Logger
	hasher   *hasher
	guesses  *guesses
	refusals refusals
	decoy    func() string // a hash that no password has
}

// New gives an Auth.
func New(c Config) *Auth {
	a := &Auth{store: c.Store, secure: c.Secure, now: c.Now, log: c.Log, hasher: newHasher(c.Cost), guesses: newGuesses()}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = zap.NewNop()
	}
	a.decoy = sync.OnceValue(func() string {
		h, err := a.hasher.hash(context.Background(), secret(""))
		if err != nil {
			return ""
		}
		return h
	})
	return a
}

// Identity is who makes a request.
type Identity struct {
	Name    string // of the user, or token:NAME
	Role    Role
	User    int64 // 0: a token that no user made
	Token   bool  // let in by an API token
	CSRF    string
	session []byte // hash of the session's secret, nil for a token
}

// maxName bounds names of users and tokens, in bytes.
const maxName = 64

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		const want = "1 to 64 letters, digits, dots, dashes, underscores or @, beginning with a letter or digit"
		return fmt.Errorf("name %.80q %w: want %s", name, ErrInput, want)
	}
	return nil
}

func checkPassword(p string) error {
	switch n := len(p); {
	case n < MinPassword:
		return fmt.Errorf("password of %d bytes %w: want at least %d", n, ErrInput, MinPassword)
	case n > MaxPassword:
		return fmt.Errorf("password of %d bytes %w: want at most %d", n, ErrInput, MaxPassword)
	}
	return nil
}

// AddUser adds a user; by says who does it, for the audit trail. An empty password makes a user who can sign in by a link
// alone. Errors: store.ErrExists, or what is wrong with name, password or role.
func (a *Auth) AddUser(ctx context.Context, by, name, password string, role Role) (store.User, error) {
	if err := checkName(name); err != nil {
		return store.User{}, err
	}
	if role.rank() == 0 {
		return store.User{}, fmt.Errorf("role %.40q %w", role, ErrInput)
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

// audit writes to the audit trail. What cannot be written there must not be done, so its error ends the caller.
func (a *Auth) audit(ctx context.Context, who, action, target, detail, remote string) error {
	e := store.AuditEntry{At: a.now(), User: who, Action: action, Target: target, Detail: detail, Remote: remote}
	if err := a.store.AddAudit(ctx, e); err != nil {
		return fmt.Errorf("audit %s: %w", action, err)
	}
	return nil
}

// secret gives 256 random bits as text, after a prefix by which a leaked one can be recognised.
func secret(prefix string) string {
	b := make([]byte, 32)
	rand.Read(b)
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// hashOf is what is stored of a secret. A plain hash does: the secret is random, not a password that could be guessed.
func hashOf(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}
