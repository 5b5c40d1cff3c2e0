// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"stillwatch/collector/internal/store"
)

// tokenPrefix lets secret scanners recognize a leaked token.
const tokenPrefix = "swt_"

// NewToken creates an API token and returns its secret, which is not stored. user is the creator, 0 for the command line. A zero
// expires means never.
func (a *Auth) NewToken(ctx context.Context, by string, user int64, name string, role Role, expires time.Time) (string, store.Token, error) {
	if err := checkName(name); err != nil {
		return "", store.Token{}, err
	}
	if role.rank() == 0 {
		return "", store.Token{}, fmt.Errorf("%w role %.40q", ErrInput, role)
	}
	key := secret(tokenPrefix)
	t := store.Token{Name: name, Role: string(role), User: user, Hash: hashOf(key), Created: a.now(), Expires: expires}
	t, err := a.store.AddToken(ctx, t)
	if err != nil {
		return "", store.Token{}, fmt.Errorf("add token %s: %w", name, err)
	}
	return key, t, a.audit(ctx, by, "token_add", name, string(role), "")
}

// RevokeToken deletes a token.
func (a *Auth) RevokeToken(ctx context.Context, by string, id int64) error {
	if err := a.store.DeleteToken(ctx, id); err != nil {
		return fmt.Errorf("token %d: %w", id, err)
	}
	return a.audit(ctx, by, "token_revoke", fmt.Sprint(id), "", "")
}

func (a *Auth) byToken(ctx context.Context, value string) (Identity, error) {
	if !strings.HasPrefix(value, tokenPrefix) {
		return Identity{}, ErrDenied
	}
	t, err := a.store.TokenByHash(ctx, hashOf(value))
	if err != nil {
		return Identity{}, denied(err)
	}
	now := a.now()
	if !t.Expires.IsZero() && !now.Before(t.Expires) {
		return Identity{}, ErrDenied
	}
	if now.Sub(t.LastSeen) >= touchEvery {
		a.touched("token", a.store.TouchToken(ctx, t.ID, now))
	}
	return Identity{Name: "token:" + t.Name, Role: Role(t.Role), User: t.User, Token: true}, nil
}

// NewLink creates the code of a one-time sign-in link that is valid for the given duration.
func (a *Auth) NewLink(ctx context.Context, by, name string, valid time.Duration) (string, error) {
	u, err := a.store.UserByName(ctx, name)
	if err != nil {
		return "", fmt.Errorf("user %s: %w", name, err)
	}
	code := secret("")
	if err := a.store.AddLink(ctx, store.Link{Hash: hashOf(code), User: u.ID, Expires: a.now().Add(valid)}); err != nil {
		return "", fmt.Errorf("link for %s: %w", name, err)
	}
	return code, a.audit(ctx, by, "link_add", name, "", "")
}

// SignInLink authenticates a user by the code of a sign-in link. Codes have 256 random bits, so they need no rate limit.
func (a *Auth) SignInLink(ctx context.Context, code, remote string) (Grant, error) {
	l, err := a.store.TakeLink(ctx, hashOf(code), a.now())
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return Grant{}, errors.Join(ErrDenied, a.reject(ctx, "", "unknown or used link", remote))
		}
		return Grant{}, fmt.Errorf("link: %w", err)
	}
	u, err := a.store.User(ctx, l.User)
	if err != nil {
		return Grant{}, denied(err)
	}
	if u.Disabled {
		return Grant{}, ErrDenied
	}
	return a.open(ctx, u, remote, "link")
}

// denied converts ErrNotFound of the store to ErrDenied. Other errors stay: a locked database must not look like a wrong password.
func denied(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrDenied
	}
	return err
}

// touched logs the error of an update of a last-seen time, which must not fail the request.
func (a *Auth) touched(what string, err error) {
	if err != nil {
		a.log.Debug("cannot update a last-seen time", zap.String("of", what), zap.Error(err))
	}
}

// NewTokenFor creates an API token on behalf of who, who must have the role of the token. It expires after days; 0 means never.
func (a *Auth) NewTokenFor(ctx context.Context, who Identity, name string, role Role, days int) (string, store.Token, error) {
	if role.rank() > 0 && !who.Role.Allows(role) {
		return "", store.Token{}, fmt.Errorf("role %.40q: %w", role, ErrDenied)
	}
	var expires time.Time
	if days > 0 {
		expires = a.now().AddDate(0, 0, days)
	}
	return a.NewToken(ctx, who.Name, who.User, name, role, expires)
}
