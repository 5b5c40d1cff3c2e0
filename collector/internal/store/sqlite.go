// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// SQLite is a Store in one file, with -wal and -shm files next to it. Several processes on one machine may open it.
type SQLite struct {
	write *sql.DB // one connection
	read  *sql.DB

	applying sync.Mutex           // serializes batches: waiting for the connection is not first come, first served
	compiled map[string]*sql.Stmt // statements of every batch by query; nil: not prepared yet. Guarded by applying

	searchFirst int // the constant, or a smaller value in tests

	mu       sync.Mutex
	watchers map[chan struct{}]struct{}
}

var _ Store = (*SQLite)(nil)

// Open opens the database at path and migrates it to the current schema. It creates the file, but not its folder.
func Open(ctx context.Context, path string) (*SQLite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	// The file is private to its owner. SQLite creates its other files with the same permissions.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	_ = f.Close()
	// synchronous(FULL): a committed transaction is on disk. With NORMAL, a power failure could undo alerts whose offsets are already
	// committed in Kafka. Indexes are written at random positions: the cache (64 MiB) holds pages that are written again soon, and a
	// checkpoint at 32 MiB instead of 4 MiB writes a page once for many batches.
	s := &SQLite{watchers: map[chan struct{}]struct{}{}, compiled: map[string]*sql.Stmt{}, searchFirst: searchFirst}
	if s.write, err = connect(path, "immediate", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
		"cache_size(-65536)", "wal_autocheckpoint(8000)"); err != nil {
		return nil, err
	}
	s.write.SetMaxOpenConns(1)
	if err := migrate(ctx, path, s.write); err != nil {
		_ = s.write.Close()
		return nil, fmt.Errorf("database %s: %w", path, classify(err))
	}
	if s.read, err = connect(path, "deferred", "query_only(ON)", "cache_size(-32768)"); err != nil {
		_ = s.write.Close()
		return nil, err
	}
	s.read.SetMaxOpenConns(4)
	return s, nil
}

// connect opens a connection pool. lock is when transactions take the write lock (immediate or deferred).
func connect(path, lock string, pragmas ...string) (*sql.DB, error) {
	q := url.Values{"_txlock": {lock}, "_pragma": append([]string{"busy_timeout(5000)"}, pragmas...)}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	return db, nil
}

// migrate runs the pending migrations. A lock file serializes processes that start at the same time.
func migrate(ctx context.Context, path string, db *sql.DB) error {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// Close closes the database.
func (s *SQLite) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

// classify wraps errors of SQLite: those that prove that the data itself is invalid in ErrRejected, all others in ErrRetry. The list of
// temporary errors would never be complete, and a record that is rejected by mistake is lost to the analyst.
func classify(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff { // the primary result code
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return fmt.Errorf("%w: %w", ErrRejected, err)
	}
	return fmt.Errorf("%w: %w", ErrRetry, err)
}

// change runs f in a transaction of the write connection.
func (s *SQLite) change(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return classify(err)
	}
	if err := f(tx); err != nil {
		return classify(errors.Join(err, ignoreDone(tx.Rollback())))
	}
	return classify(tx.Commit())
}

// ignoreDone ignores the error of a rollback after SQLite has rolled back by itself.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// Watch implements Records.
func (s *SQLite) Watch() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, c)
	}
}

func (s *SQLite) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.watchers {
		select {
		case c <- struct{}{}:
		default: // already signaled
		}
	}
}
