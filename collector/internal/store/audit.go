// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"time"
)

// SignInRejected is the action of audit entries for failed sign-ins, which anyone can cause.
const SignInRejected = "sign_in_refused"

// The number of audit entries that are kept. Rejected sign-ins have a limit of their own, so that they cannot push out other entries.
const (
	auditKept    = 100_000
	rejectedKept = 10_000
)

// AddAudit implements Accounts.
func (s *SQLite) AddAudit(ctx context.Context, e AuditEntry) error {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	_, err := s.add(ctx, `INSERT INTO audit (at, user, action, target, detail, remote) VALUES (?,?,?,?,?,?)`,
		nanos(e.At), e.User, e.Action, e.Target, e.Detail, e.Remote)
	return err
}

// Audit implements Accounts.
func (s *SQLite) Audit(ctx context.Context, p Page) (AuditList, error) {
	var list AuditList
	next, err := s.byID(ctx, "audit", `SELECT id, at, user, action, target, detail, remote FROM audit`, p, func(r *sql.Rows) (int64, error) {
		var e AuditEntry
		var at int64
		err := r.Scan(&e.ID, &at, &e.User, &e.Action, &e.Target, &e.Detail, &e.Remote)
		e.At = timeOf(at)
		list.Entries = append(list.Entries, e)
		return e.ID, err
	})
	list.Entries, list.Next = list.Entries[:min(len(list.Entries), p.size())], next
	return list, err
}

// TrimAudit implements Accounts.
func (s *SQLite) TrimAudit(ctx context.Context) error {
	return s.trimAudit(ctx, auditKept, rejectedKept)
}

func (s *SQLite) trimAudit(ctx context.Context, actions, rejected int) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for isRejected, kept := range map[bool]int{false: actions, true: rejected} {
			_, err := tx.ExecContext(ctx, `DELETE FROM audit WHERE id IN
				(SELECT id FROM audit WHERE (action = ?) = ? ORDER BY id DESC LIMIT -1 OFFSET ?)`, SignInRejected, isRejected, kept)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
