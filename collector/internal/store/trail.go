// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"time"
)

// Refusal is the action of audit entries that strangers cause.
const Refusal = "sign_in_refused"

// How much of the audit trail is kept: what users did, and refusals, which strangers could otherwise pile up.
const (
	auditKept    = 100_000
	refusalsKept = 10_000
)

// TrimAudit is described at Accounts.
func (s *SQLite) TrimAudit(ctx context.Context) error {
	return s.trimAudit(ctx, auditKept, refusalsKept)
}

func (s *SQLite) trimAudit(ctx context.Context, acts, refusals int) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for refused, kept := range map[bool]int{false: acts, true: refusals} {
			_, err := tx.ExecContext(ctx, `DELETE FROM audit WHERE id IN
				(SELECT id FROM audit WHERE (action = ?) = ? ORDER BY id DESC LIMIT -1 OFFSET ?)`, Refusal, refused, kept)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// placesKept is how many places of a user are known, the latest.
const placesKept = 100

// AddPlace is described at Accounts.
func (s *SQLite) AddPlace(ctx context.Context, user int64, place string, at time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sign_in_places (user, place, at) VALUES (?,?,?)
			ON CONFLICT (user, place) DO UPDATE SET at = excluded.at`, user, place, nanos(at))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM sign_in_places WHERE user = ? AND place IN
			(SELECT place FROM sign_in_places WHERE user = ? ORDER BY at DESC LIMIT -1 OFFSET ?)`, user, user, placesKept)
		return err
	})
}

// KnowsPlace is described at Accounts.
func (s *SQLite) KnowsPlace(ctx context.Context, name, place string) (known bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sign_in_places p JOIN users u ON u.id = p.user WHERE u.name = ? AND p.place = ?)`,
		name, place).Scan(&known)
	return known, mark(err)
}
