// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// exec runs one statement. It returns ErrNotFound if no row was affected.
func (s *SQLite) exec(ctx context.Context, query string, args ...any) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return uniqueError(err)
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return ErrNotFound
	})
}

// uniqueError converts the violation of a UNIQUE constraint to ErrExists.
func uniqueError(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && (e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY) {
		return ErrExists
	}
	return err
}

// add inserts one row and returns its id.
func (s *SQLite) add(ctx context.Context, query string, args ...any) (id int64, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return uniqueError(err)
		}
		id, err = res.LastInsertId()
		return err
	})
	return id, err
}

// AddUser implements Accounts.
func (s *SQLite) AddUser(ctx context.Context, u User) (User, error) {
	u.Created = time.Now().UTC()
	id, err := s.add(ctx, `INSERT INTO users (name, role, password, disabled, created, last_seen) VALUES (?,?,?,?,?,0)`,
		u.Name, u.Role, u.PasswordHash, u.Disabled, nanos(u.Created))
	if err != nil {
		return User{}, fmt.Errorf("user %.60q: %w", u.Name, err)
	}
	u.ID = id
	return u, nil
}

const userColumns = `SELECT id, name, role, password, disabled, created, last_seen FROM users`

func scanUser(scan func(...any) error) (u User, err error) {
	var created, seen int64
	err = scan(&u.ID, &u.Name, &u.Role, &u.PasswordHash, &u.Disabled, &created, &seen)
	u.Created, u.LastSeen = timeOf(created), timeOf(seen)
	return u, err
}

// Users implements Accounts.
func (s *SQLite) Users(ctx context.Context) ([]User, error) {
	var out []User
	err := s.scanQuery(ctx, userColumns+` ORDER BY name`, func(r *sql.Rows) error {
		u, err := scanUser(r.Scan)
		out = append(out, u)
		return err
	})
	return out, err
}

// User implements Accounts.
func (s *SQLite) User(ctx context.Context, id int64) (User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, userColumns+` WHERE id = ?`, id).Scan)
	return u, lookupError(err, "user", fmt.Sprint(id))
}

// UserByName implements Accounts.
func (s *SQLite) UserByName(ctx context.Context, name string) (User, error) {
	u, err := scanUser(s.read.QueryRowContext(ctx, userColumns+` WHERE name = ?`, name).Scan)
	return u, lookupError(err, "user", name)
}

// UpdateUser implements Accounts.
func (s *SQLite) UpdateUser(ctx context.Context, u User) error {
	return s.exec(ctx, `UPDATE users SET role = ?, password = ?, disabled = ? WHERE id = ?`, u.Role, u.PasswordHash, u.Disabled, u.ID)
}

// TouchUser implements Accounts.
func (s *SQLite) TouchUser(ctx context.Context, id int64, at time.Time) error {
	return s.exec(ctx, `UPDATE users SET last_seen = ? WHERE id = ?`, nanos(at), id)
}
