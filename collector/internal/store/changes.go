// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// Changes implements Records.
func (s *SQLite) Changes(ctx context.Context, after int64, limit int) ([]Change, error) {
	if limit <= 0 {
		limit = maxLimit
	}
	tx, err := s.read.BeginTx(ctx, nil) // a consistent snapshot of both tables
	if err != nil {
		return nil, fmt.Errorf("changes: %w", classify(err))
	}
	defer func() { _ = tx.Rollback() }()
	var out []Change
	err = listed(ctx, tx, `SELECT `+alertColumns+alertJoin+`WHERE a.change > ? ORDER BY a.change LIMIT ?`, func(r *sql.Rows) error {
		a, _, err := scanAlert(r.Scan)
		out = append(out, Change{Number: a.Change, Kind: "alert", ID: a.Alert.ID, Row: &a})
		return err
	}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("changes: %w", err)
	}
	err = listed(ctx, tx, `SELECT `+deviceColumns+` FROM devices d WHERE d.change > ? ORDER BY d.change LIMIT ?`, func(r *sql.Rows) error {
		d, _, err := scanDevice(r.Scan)
		out = append(out, Change{Number: d.Change, Kind: "device", ID: d.Key, Device: &d})
		return err
	}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("changes: %w", err)
	}
	slices.SortFunc(out, func(a, b Change) int { return cmp.Compare(a.Number, b.Number) })
	return out[:min(len(out), limit)], nil
}

func listed(ctx context.Context, tx *sql.Tx, query string, scan func(*sql.Rows) error, args ...any) error {
	rs, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return classify(err)
	}
	return classify(scanAll(rs, scan))
}

// LastChange implements Records.
func (s *SQLite) LastChange(ctx context.Context) (int64, error) {
	var n int64
	err := s.read.QueryRowContext(ctx, `SELECT change FROM counter`).Scan(&n)
	return n, classify(err)
}
