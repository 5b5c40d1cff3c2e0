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

// Grant is a session that was just opened: the cookie that the browser must keep.
type Grant struct {
	Identity Identity
	Cookie   *http.Cookie
}

// SignIn lets a person in by name and password. Errors: ErrRefused, *TooSoonError, or one of the store.
func (a *Auth) SignIn(ctx context.Context, name, password, remote string) (Grant, error) {
	known, err := a.store.KnowsPlace(ctx, name[:min(len(name), maxName)], addrKey(remote))
	if err != nil {
		return Grant{}, fmt.Errorf("place: %w", err)
	}
	if err := a.guesses.begin(name, remote, known, a.now()); err != nil {
		return Grant{}, errors.Join(err, a.refused(ctx, name, "too soon", remote))
	}
	u, err := a.store.UserByName(ctx, name)
	usable := err == nil && u.PasswordHash != "" && !u.Disabled
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Grant{}, fmt.Errorf("user: %w", err)
	}
	// A name that is unknown costs as much time as one that is known: how long it takes tells nothing.
	hash := a.decoy()
	if usable {
		hash = u.PasswordHash
	}
	ok, err := a.hasher.matches(ctx, hash, password[:min(len(password), MaxPassword+1)])
	if err != nil {
		return Grant{}, fmt.Errorf("password of %s: %w", u.Name, err)
	}
	if !ok || !usable {
		return Grant{}, errors.Join(ErrRefused, a.refused(ctx, name, "wrong name or password", remote))
	}
	a.guesses.success(name, remote, known)
	return a.open(ctx, u, remote, "password")
}

// open makes a session.
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
	if err := a.store.AddPlace(ctx, u.ID, addrKey(remote), now); err != nil {
		return Grant{}, fmt.Errorf("place: %w", err)
	}
	if err := a.store.TouchUser(ctx, u.ID, now); err != nil {
		return Grant{}, fmt.Errorf("user %s: %w", u.Name, err)
	}
	id := Identity{Name: u.Name, Role: Role(u.Role), User: u.ID, CSRF: s.CSRF, session: s.Hash}
	return Grant{Identity: id, Cookie: a.cookie(key, int(sessionLife/time.Second))}, nil
}

// SignOut ends the session of id and gives a cookie that makes the browser forget.
func (a *Auth) SignOut(ctx context.Context, id Identity, remote string) (*http.Cookie, error) {
	if id.session != nil {
		if err := a.store.DeleteSession(ctx, id.session); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("session: %w", err)
		}
	}
	return a.cookie("", -1), a.audit(ctx, id.Name, "sign_out", "", "", remote)
}

// CookieName is the name of the session's cookie. The prefix __Host- makes the browser refuse one that another host of the
// domain has set (RFC 6265bis, section 4.1.3.2); it needs TLS.
func (a *Auth) CookieName() string {
	if a.secure {
		return "__Host-stillwatch"
	}
	return "stillwatch"
}

// SameSite is Lax, not Strict: an analyst who follows a link from a ticket is signed in. Requests that change something
// are held to a CSRF token besides.
func (a *Auth) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: a.CookieName(), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteLaxMode,
	}
}

// bySession finds who a cookie belongs to. quiet requests, which a page makes by itself, do not keep the session alive.
func (a *Auth) bySession(ctx context.Context, value string, quiet bool) (Identity, error) {
	s, err := a.store.SessionByHash(ctx, hashOf(value))
	if err != nil {
		return Identity{}, refuse(err)
	}
	now := a.now()
	if !now.Before(s.Expires) || now.Sub(s.LastSeen) >= sessionIdle {
		return Identity{}, ErrRefused
	}
	u, err := a.store.User(ctx, s.User)
	if err != nil {
		return Identity{}, refuse(err)
	}
	if u.Disabled {
		return Identity{}, ErrRefused
	}
	if !quiet && now.Sub(s.LastSeen) >= touchEvery {
		a.touched("session", a.store.TouchSession(ctx, s.Hash, now))
		a.touched("user", a.store.TouchUser(ctx, u.ID, now))
	}
	return Identity{Name: u.Name, Role: Role(u.Role), User: u.ID, CSRF: s.CSRF, session: s.Hash}, nil
}
