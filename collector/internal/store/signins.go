// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// AddSession is described at Accounts.
func (s *SQLite) AddSession(ctx context.Context, x Session) error {
	_, err := s.add(ctx, `INSERT INTO sessions (hash, user, csrf, remote, created, last_seen, expires) VALUES (?,?,?,?,?,?,?)`,
		x.Hash, x.User, x.CSRF, x.Remote, nanos(x.Created), nanos(x.LastSeen), nanos(x.Expires))
	return err
}

// SessionByHash is described at Accounts. It gives sessions that have ended too: the caller compares Expires.
func (s *SQLite) SessionByHash(ctx context.Context, hash []byte) (Session, error) {
	x := Session{Hash: hash}
	var created, seen, expires int64
	err := s.read.QueryRowContext(ctx, `SELECT user, csrf, remote, created, last_seen, expires FROM sessions WHERE hash = ?`, hash).
		Scan(&x.User, &x.CSRF, &x.Remote, &created, &seen, &expires)
	x.Created, x.LastSeen, x.Expires = moment(created), moment(seen), moment(expires)
	return x, found(err, "session", "")
}

// TouchSession is described at Accounts.
func (s *SQLite) TouchSession(ctx context.Context, hash []byte, at time.Time) error {
	return s.exec(ctx, `UPDATE sessions SET last_seen = ? WHERE hash = ?`, nanos(at), hash)
}

// DeleteSession is described at Accounts.
func (s *SQLite) DeleteSession(ctx context.Context, hash []byte) error {
	return s.exec(ctx, `DELETE FROM sessions WHERE hash = ?`, hash)
}

// DeleteUserSessions is described at Accounts.
func (s *SQLite) DeleteUserSessions(ctx context.Context, user int64) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user = ?`, user)
		return err
	})
}

// DeleteExpired is described at Accounts.
func (s *SQLite) DeleteExpired(ctx context.Context, now time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires <= ?`, nanos(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM links WHERE expires <= ?`, nanos(now))
		return err
	})
}

// AddToken is described at Accounts.
func (s *SQLite) AddToken(ctx context.Context, t Token) (Token, error) {
	t.Created = time.Now().UTC()
	id, err := s.add(ctx, `INSERT INTO tokens (name, role, user, hash, created, last_seen, expires) VALUES (?,?,?,?,?,0,?)`,
		t.Name, t.Role, t.User, t.Hash, nanos(t.Created), nanos(t.Expires))
	if err != nil {
		return Token{}, fmt.Errorf("token %.60q: %w", t.Name, err)
	}
	t.ID = id
	return t, nil
}

const tokenColumns = `SELECT id, name, role, user, hash, created, last_seen, expires FROM tokens`

func scanToken(scan func(...any) error) (t Token, err error) {
	var created, seen, expires int64
	err = scan(&t.ID, &t.Name, &t.Role, &t.User, &t.Hash, &created, &seen, &expires)
	t.Created, t.LastSeen, t.Expires = moment(created), moment(seen), moment(expires)
	return t, err
}

// Tokens is described at Accounts.
func (s *SQLite) Tokens(ctx context.Context) ([]Token, error) {
	var out []Token
	err := s.counts(ctx, tokenColumns+` ORDER BY name`, func(r *sql.Rows) error {
		t, err := scanToken(r.Scan)
		out = append(out, t)
		return err
	})
	return out, err
}

// TokenByHash is described at Accounts. It gives tokens that have ended too: the caller compares Expires.
func (s *SQLite) TokenByHash(ctx context.Context, hash []byte) (Token, error) {
	t, err := scanToken(s.read.QueryRowContext(ctx, tokenColumns+` WHERE hash = ?`, hash).Scan)
	return t, found(err, "token", "")
}

// TouchToken is described at Accounts.
func (s *SQLite) TouchToken(ctx context.Context, id int64, at time.Time) error {
	return s.exec(ctx, `UPDATE tokens SET last_seen = ? WHERE id = ?`, nanos(at), id)
}

// DeleteToken is described at Accounts.
func (s *SQLite) DeleteToken(ctx context.Context, id int64) error {
	return s.exec(ctx, `DELETE FROM tokens WHERE id = ?`, id)
}

// AddLink is described at Accounts.
func (s *SQLite) AddLink(ctx context.Context, l Link) error {
	_, err := s.add(ctx, `INSERT INTO links (hash, user, expires) VALUES (?,?,?)`, l.Hash, l.User, nanos(l.Expires))
	return err
}

// TakeLink is described at Accounts.
func (s *SQLite) TakeLink(ctx context.Context, hash []byte, now time.Time) (Link, error) {
	l := Link{Hash: hash}
	err := s.change(ctx, func(tx *sql.Tx) error {
		var expires int64
		// One statement: of two browsers with the same link one gets it.
		err := tx.QueryRowContext(ctx, `DELETE FROM links WHERE hash = ? RETURNING user, expires`, hash).Scan(&l.User, &expires)
		l.Expires = moment(expires)
		return found(err, "link", "")
	})
	if err == nil && !l.Expires.After(now) {
		err = fmt.Errorf("link: %w", ErrNotFound)
	}
	return l, err
}
