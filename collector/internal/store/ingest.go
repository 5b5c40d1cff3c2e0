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

// ingest is the state of one Apply: the open transaction and the last change number.
type ingest struct {
	ctx     context.Context
	tx      *sql.Tx
	now     int64 // wall clock, nanoseconds
	change  int64
	applied Applied
	db      *SQLite

	statements map[string]*sql.Stmt // of db.compiled, bound to this transaction
}

// Apply implements Ingest.
func (s *SQLite) Apply(ctx context.Context, b Batch) (Applied, error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	if err := s.compile(ctx); err != nil {
		return Applied{}, fmt.Errorf("store a batch: %w", err)
	}
	// Statements run without cancellation, which would cost a goroutine each; none of them blocks once the transaction has begun.
	in := &ingest{ctx: context.WithoutCancel(ctx), now: time.Now().UnixNano(), db: s, statements: map[string]*sql.Stmt{}}
	err := s.change(ctx, func(tx *sql.Tx) error {
		in.tx = tx
		return errors.Join(in.run(b), ctx.Err())
	})
	if err != nil {
		if !errors.Is(err, ErrRejected) && !errors.Is(err, ErrRetry) { // from database/sql or ctx: not caused by the batch
			err = fmt.Errorf("%w: %w", ErrRetry, err)
		}
		return Applied{}, fmt.Errorf("store a batch: %w", err)
	}
	if in.applied.Alerts+in.applied.Incidents+in.applied.Devices > 0 {
		s.notify()
	}
	return in.applied, nil
}

// compile prepares the statements that the previous batch used without a prepared statement.
func (s *SQLite) compile(ctx context.Context) error {
	for query, st := range s.compiled {
		if st != nil {
			continue
		}
		var err error
		if s.compiled[query], err = s.write.PrepareContext(ctx, query); err != nil {
			return fmt.Errorf("%w: %w", ErrRetry, err)
		}
	}
	return nil
}

func (in *ingest) run(b Batch) error {
	if err := in.row(`SELECT change FROM counter`).Scan(&in.change); err != nil {
		return err
	}
	began := in.change
	for _, step := range []func(Batch) error{in.alerts, in.incidentRecords, in.devices, in.sensors, in.statuses, in.evidence, in.dead} {
		if err := step(b); err != nil {
			return err
		}
	}
	if in.change == began {
		return nil
	}
	_, err := in.exec(`UPDATE counter SET change = ?`, in.change)
	return err
}

func (in *ingest) next() int64 {
	in.change++
	return in.change
}

// rows is a multi-row INSERT: the overhead per statement costs more than a row. It uses OR FAIL, because every failure rolls back the
// whole transaction anyway, and OR FAIL saves SQLite the statement journal.
type rows struct {
	head, tail string // INSERT OR FAIL INTO t (a, b) VALUES … tail
	width      int
	least      int // rows per statement, even if they have more than maxArgs parameters
	args       []any
}

func (r *rows) add(v ...any) { r.args = append(r.args, v...) }

// maxArgs is the maximum number of parameters of one statement. SQLite allows 32766, but gains little beyond some hundred.
const maxArgs = 1000

// insert writes the rows with statements of one fixed size, which stay prepared, and the rest with one more statement.
func (in *ingest) insert(r *rows) error {
	one := "(?" + strings.Repeat(",?", r.width-1) + ")"
	full := max(maxArgs/r.width, r.least)
	for len(r.args) > 0 {
		n := min(len(r.args)/r.width, full)
		query := r.head + " VALUES " + one + strings.Repeat(","+one, n-1) + " " + r.tail
		args := r.args[:n*r.width]
		var err error
		if n == full {
			_, err = in.exec(query, args...)
		} else {
			_, err = in.tx.ExecContext(in.ctx, query, args...)
		}
		if err != nil {
			return err
		}
		r.args = r.args[n*r.width:]
	}
	return nil
}

// compiled returns the prepared statement of a query, or nil if there is none yet: it is prepared between two batches, because there
// is only one connection for writing.
func (in *ingest) compiled(query string) *sql.Stmt {
	if st := in.statements[query]; st != nil {
		return st
	}
	kept := in.db.compiled[query]
	if kept == nil {
		in.db.compiled[query] = nil // prepare it before the next batch
		return nil
	}
	in.statements[query] = in.tx.StmtContext(in.ctx, kept)
	return in.statements[query]
}

func (in *ingest) exec(query string, args ...any) (sql.Result, error) {
	if st := in.compiled(query); st != nil {
		return st.ExecContext(in.ctx, args...)
	}
	return in.tx.ExecContext(in.ctx, query, args...)
}

func (in *ingest) query(query string, args ...any) (*sql.Rows, error) {
	if st := in.compiled(query); st != nil {
		return st.QueryContext(in.ctx, args...)
	}
	return in.tx.QueryContext(in.ctx, query, args...)
}

func (in *ingest) row(query string, args ...any) *sql.Row {
	if st := in.compiled(query); st != nil {
		return st.QueryRowContext(in.ctx, args...)
	}
	return in.tx.QueryRowContext(in.ctx, query, args...)
}

// each runs query for chunks of keys and scan on every row. The %s in query stands for the list of parameters.
func (in *ingest) each(query string, keys []any, scan func(*sql.Rows) error) error {
	for len(keys) > 0 {
		n := min(len(keys), maxArgs)
		list := "?" + strings.Repeat(",?", n-1)
		run := func(query string, args ...any) (*sql.Rows, error) { return in.tx.QueryContext(in.ctx, query, args...) }
		if n == maxArgs {
			run = in.query
		}
		found, err := run(fmt.Sprintf(query, list), keys[:n]...)
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

// dead stores records of the dead-letter queue. Topic, partition and offset identify a record, so that it is stored once.
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
