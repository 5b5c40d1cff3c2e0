// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// AddSession implements Accounts.
func (s *SQLite) AddSession(ctx context.Context, x Session) error {
	_, err := s.add(ctx, `INSERT INTO sessions (hash, user, csrf, remote, created, last_seen, expires) VALUES (?,?,?,?,?,?,?)`,
		x.Hash, x.User, x.CSRF, x.Remote, nanos(x.Created), nanos(x.LastSeen), nanos(x.Expires))
	return err
}

// SessionByHash implements Accounts. It also returns expired sessions: the caller checks Expires.
func (s *SQLite) SessionByHash(ctx context.Context, hash []byte) (Session, error) {
	x := Session{Hash: hash}
	var created, seen, expires int64
	err := s.read.QueryRowContext(ctx, `SELECT user, csrf, remote, created, last_seen, expires FROM sessions WHERE hash = ?`, hash).
		Scan(&x.User, &x.CSRF, &x.Remote, &created, &seen, &expires)
	x.Created, x.LastSeen, x.Expires = timeOf(created), timeOf(seen), timeOf(expires)
	return x, lookupError(err, "session", "")
}

// TouchSession implements Accounts.
func (s *SQLite) TouchSession(ctx context.Context, hash []byte, at time.Time) error {
	return s.exec(ctx, `UPDATE sessions SET last_seen = ? WHERE hash = ?`, nanos(at), hash)
}

// DeleteSession implements Accounts.
func (s *SQLite) DeleteSession(ctx context.Context, hash []byte) error {
	return s.exec(ctx, `DELETE FROM sessions WHERE hash = ?`, hash)
}

// DeleteUserSessions implements Accounts.
func (s *SQLite) DeleteUserSessions(ctx context.Context, user int64) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user = ?`, user)
		return err
	})
}

// DeleteExpired implements Accounts.
func (s *SQLite) DeleteExpired(ctx context.Context, now time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires <= ?`, nanos(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM links WHERE expires <= ?`, nanos(now))
		return err
	})
}

// AddToken implements Accounts.
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
	t.Created, t.LastSeen, t.Expires = timeOf(created), timeOf(seen), timeOf(expires)
	return t, err
}

// Tokens implements Accounts.
func (s *SQLite) Tokens(ctx context.Context) ([]Token, error) {
	var out []Token
	err := s.scanQuery(ctx, tokenColumns+` ORDER BY name`, func(r *sql.Rows) error {
		t, err := scanToken(r.Scan)
		out = append(out, t)
		return err
	})
	return out, err
}

// TokenByHash implements Accounts. It also returns expired tokens: the caller checks Expires.
func (s *SQLite) TokenByHash(ctx context.Context, hash []byte) (Token, error) {
	t, err := scanToken(s.read.QueryRowContext(ctx, tokenColumns+` WHERE hash = ?`, hash).Scan)
	return t, lookupError(err, "token", "")
}

// TouchToken implements Accounts.
func (s *SQLite) TouchToken(ctx context.Context, id int64, at time.Time) error {
	return s.exec(ctx, `UPDATE tokens SET last_seen = ? WHERE id = ?`, nanos(at), id)
}

// DeleteToken implements Accounts.
func (s *SQLite) DeleteToken(ctx context.Context, id int64) error {
	return s.exec(ctx, `DELETE FROM tokens WHERE id = ?`, id)
}

// AddLink implements Accounts.
func (s *SQLite) AddLink(ctx context.Context, l Link) error {
	_, err := s.add(ctx, `INSERT INTO links (hash, user, expires) VALUES (?,?,?)`, l.Hash, l.User, nanos(l.Expires))
	return err
}

// TakeLink implements Accounts.
func (s *SQLite) TakeLink(ctx context.Context, hash []byte, now time.Time) (Link, error) {
	l := Link{Hash: hash}
	err := s.change(ctx, func(tx *sql.Tx) error {
		var expires int64
		// One statement, so that of two concurrent requests only one gets the link.
		err := tx.QueryRowContext(ctx, `DELETE FROM links WHERE hash = ? RETURNING user, expires`, hash).Scan(&l.User, &expires)
		l.Expires = timeOf(expires)
		return lookupError(err, "link", "")
	})
	if err == nil && !l.Expires.After(now) {
		err = fmt.Errorf("link: %w", ErrNotFound)
	}
	return l, err
}

// sourcesKept is how many source addresses of a user are kept, the most recent ones.
const sourcesKept = 100

// AddSource implements Accounts.
func (s *SQLite) AddSource(ctx context.Context, user int64, source string, at time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sign_in_places (user, place, at) VALUES (?,?,?)
			ON CONFLICT (user, place) DO UPDATE SET at = excluded.at`, user, source, nanos(at))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM sign_in_places WHERE user = ? AND place IN
			(SELECT place FROM sign_in_places WHERE user = ? ORDER BY at DESC LIMIT -1 OFFSET ?)`, user, user, sourcesKept)
		return err
	})
}

// KnowsSource implements Accounts.
func (s *SQLite) KnowsSource(ctx context.Context, name, source string) (known bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sign_in_places p JOIN users u ON u.id = p.user WHERE u.name = ? AND p.place = ?)`,
		name, source).Scan(&known)
	return known, classify(err)
}
