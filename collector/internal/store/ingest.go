// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ingest is one Apply on its way: the open transaction, and the change number given out last.
type ingest struct {
	ctx     context.Context
	tx      *sql.Tx
	now     int64 // wall clock, nanoseconds
	change  int64
	applied Applied
	upsert  *sql.Stmt // of a device, once there was one
}

// Apply is described at Ingest.
func (s *SQLite) Apply(ctx context.Context, b Batch) (Applied, error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	in := &ingest{ctx: ctx, now: time.Now().UnixNano()}
	err := s.change(ctx, func(tx *sql.Tx) error {
		in.tx = tx
		return in.run(b)
	})
	if err != nil {
		if !errors.Is(err, ErrRefused) && !errors.Is(err, ErrRetry) { // of database/sql or of ctx: not the batch's fault
			err = fmt.Errorf("%w: %w", ErrRetry, err)
		}
		return Applied{}, fmt.Errorf("store a batch: %w", err)
	}
	if in.applied.Alerts+in.applied.Devices > 0 {
		s.notify()
	}
	return in.applied, nil
}

func (in *ingest) run(b Batch) error {
	if err := in.tx.QueryRowContext(in.ctx, `SELECT change FROM counter`).Scan(&in.change); err != nil {
		return err
	}
	began := in.change
	for _, step := range []func(Batch) error{in.alerts, in.devices, in.sensors, in.dead} {
		if err := step(b); err != nil {
			return err
		}
	}
	if in.change == began {
		return nil
	}
	_, err := in.tx.ExecContext(in.ctx, `UPDATE counter SET change = ?`, in.change)
	return err
}

func (in *ingest) next() int64 {
	in.change++
	return in.change
}

// rows inserts many rows at once: the round trip per statement costs more than the row.
type rows struct {
	head, tail string // INSERT INTO t (a, b) VALUES … tail
	width      int
	args       []any
}

func (r *rows) add(v ...any) { r.args = append(r.args, v...) }

// maxArgs bounds the parameters of one statement; SQLite takes 32766, and gains little beyond some hundred.
const maxArgs = 1000

func (in *ingest) insert(r *rows) error {
	one := "(?" + strings.Repeat(",?", r.width-1) + ")"
	for len(r.args) > 0 {
		n := min(len(r.args), maxArgs/r.width*r.width)
		query := r.head + " VALUES " + one + strings.Repeat(","+one, n/r.width-1) + " " + r.tail
		if _, err := in.tx.ExecContext(in.ctx, query, r.args[:n]...); err != nil {
			return err
		}
		r.args = r.args[n:]
	}
	return nil
}

// each runs query, in which %s stands for a list of parameters, over keys in parts, and scan on every row.
func (in *ingest) each(query string, keys []any, scan func(*sql.Rows) error) error {
	for len(keys) > 0 {
		n := min(len(keys), maxArgs)
		list := "?" + strings.Repeat(",?", n-1)
		found, err := in.tx.QueryContext(in.ctx, fmt.Sprintf(query, list), keys[:n]...)
		if err != nil {
			return err
		}
		if err := scanAll(found, scan); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

func scanAll(found *sql.Rows, scan func(*sql.Rows) error) error {
	defer func() { _ = found.Close() }()
	for found.Next() {
		if err := scan(found); err != nil {
			return err
		}
	}
	return found.Err()
}

// dead stores dead letters; the place of the record in Kafka makes it known again.
func (in *ingest) dead(b Batch) error {
	const maxValue = 64 << 10
	for _, d := range b.Dead {
		res, err := in.tx.ExecContext(in.ctx, `INSERT INTO dead_letters (topic, part, off, reason, key, value, size, at)
			VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
			d.Topic, d.Partition, d.Offset, d.Reason, d.Key, d.Value[:min(len(d.Value), maxValue)], len(d.Value), in.now)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		in.applied.Dead += int(n)
	}
	return nil
}
