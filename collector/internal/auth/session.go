// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"stillwatch/collector/internal/store"
)

// Grant is a new session with its cookie.
type Grant struct {
	Identity Identity
	Cookie   *http.Cookie
}

// SignIn authenticates a user by name and password. Errors wrap ErrDenied, *RateLimitError or an error of the store.
func (a *Auth) SignIn(ctx context.Context, name, password, remote string) (Grant, error) {
	known, err := a.store.KnowsSource(ctx, name[:min(len(name), maxName)], sourceKey(remote))
	if err != nil {
		return Grant{}, fmt.Errorf("source: %w", err)
	}
	if err := a.limiter.begin(name, remote, known, a.now()); err != nil {
		return Grant{}, errors.Join(err, a.reject(ctx, name, "rate limited", remote))
	}
	u, err := a.store.UserByName(ctx, name)
	usable := err == nil && u.PasswordHash != "" && !u.Disabled
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Grant{}, fmt.Errorf("user: %w", err)
	}
	// Unknown names take as long as known ones, so that the response time does not reveal which names exist.
	hash := a.dummy()
	if usable {
		hash = u.PasswordHash
	}
	ok, err := a.hasher.matches(ctx, hash, password[:min(len(password), MaxPassword+1)])
	if err != nil {
		return Grant{}, fmt.Errorf("password of %s: %w", u.Name, err)
	}
	if !ok || !usable {
		return Grant{}, errors.Join(ErrDenied, a.reject(ctx, name, "wrong name or password", remote))
	}
	a.limiter.success(name, remote, known)
	return a.open(ctx, u, remote, "password")
}

// open creates a session.
func (a *Auth) open(ctx context.Context, u store.User, remote, how string) (Grant, error) {
	now := a.now()
	key := secret("")
	s := store.Session{Hash: hashOf(key), User: u.ID, CSRF: secret(""), Remote: remote, Created: now, LastSeen: now, Expires: now.Add(sessionLife)}
	if err := a.audit(ctx, u.Name, "sign_in", "", how, remote); err != nil {
		return Grant{}, err
	}
	if err := a.store.DeleteExpired(ctx, now); err != nil {
		return Grant{}, fmt.Errorf("expired sessions: %w", err)
	}
	if err := a.store.AddSession(ctx, s); err != nil {
		return Grant{}, fmt.Errorf("session: %w", err)
	}
	if err := a.store.AddSource(ctx, u.ID, sourceKey(remote), now); err != nil {
		return Grant{}, fmt.Errorf("source: %w", err)
	}
	if err := a.store.TouchUser(ctx, u.ID, now); err != nil {
		return Grant{}, fmt.Errorf("user %s: %w", u.Name, err)
	}
	id := Identity{Name: u.Name, Role: Role(u.Role), User: u.ID, CSRF: s.CSRF, session: s.Hash}
	return Grant{Identity: id, Cookie: a.cookie(key, int(sessionLife/time.Second))}, nil
}

// SignOut ends the session of id and returns a cookie that deletes the browser's.
func (a *Auth) SignOut(ctx context.Context, id Identity, remote string) (*http.Cookie, error) {
	if id.session != nil {
		if err := a.store.DeleteSession(ctx, id.session); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("session: %w", err)
		}
	}
	return a.cookie("", -1), a.audit(ctx, id.Name, "sign_out", "", "", remote)
}

// CookieName returns the name of the session cookie. With the prefix __Host-, which requires TLS, the browser rejects a cookie that
// another host of the domain has set (RFC 6265bis, section 4.1.3.2).
func (a *Auth) CookieName() string {
	if a.secure {
		return "__Host-stillwatch"
	}
	return "stillwatch"
}

// cookie returns the session cookie. SameSite is Lax, not Strict, so that an analyst who follows a link from a ticket is signed in.
// Requests that change state also need a CSRF token.
func (a *Auth) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: a.CookieName(), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode,
	}
}

// bySession returns the identity of a session cookie. Quiet requests, which a page makes automatically, do not keep the session alive.
func (a *Auth) bySession(ctx context.Context, value string, quiet bool) (Identity, error) {
	s, err := a.store.SessionByHash(ctx, hashOf(value))
	if err != nil {
		return Identity{}, denied(err)
	}
	now := a.now()
	if !now.Before(s.Expires) || now.Sub(s.LastSeen) >= sessionIdle {
		return Identity{}, ErrDenied
	}
	u, err := a.store.User(ctx, s.User)
	if err != nil {
		return Identity{}, denied(err)
	}
	if u.Disabled {
		return Identity{}, ErrDenied
	}
	if !quiet && now.Sub(s.LastSeen) >= touchEvery {
		a.touched("session", a.store.TouchSession(ctx, s.Hash, now))
		a.touched("user", a.store.TouchUser(ctx, u.ID, now))
	}
	return Identity{Name: u.Name, Role: Role(u.Role), User: u.ID, CSRF: s.CSRF, session: s.Hash}, nil
}
