// SPDX-License-Identifier: Apache-2.0

// Package state saves what a sensor knows in a file, so that it survives a restart and a crash. A goroutine writes snapshots of what has
// changed into a bbolt database, and each alert is written to a journal beside it before it is sent.
package state

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"stillwatch/sensor/internal/snapshot"
)

// Options configures a store. Zero means the default.
type Options struct {
	Sensor, Site string // the owner: the state of another is refused
	Version      string // of the program; informative
	Any          bool   // the state of any sensor: Sensor, Site and Version are those of the file
	// NotAfter refuses a state whose capture clock (nanoseconds since the epoch) is later, because the clock of a live sensor would not
	// advance until it caught up. 0: any.
	NotAfter int64
	// MoveDamaged renames a damaged file and starts a new one, for live sensors that run unattended; otherwise a damaged file is refused.
	MoveDamaged bool
	// Interval is the time between two snapshots on the capture clock, default ten seconds. Pause is the same on the wall clock, default
	// one second, for replays, whose capture clock runs faster.
	Interval, Pause time.Duration
	// Patience is how long the end of a run waits for a disk that does not respond, and three times as long for a write in progress;
	// default three seconds.
	Patience time.Duration
	// Sync waits until all alerts that were sent are on disk. It is called before a snapshot that contains them is written; nil: there
	// is nothing to wait for.
	Sync func() error
	// Report is called with messages for the operator, one line each; nil: they are dropped.
	Report func(error)
}

func (o Options) withDefaults() Options {
	if o.Interval <= 0 {
		o.Interval = 10 * time.Second
	}
	if o.Pause <= 0 {
		o.Pause = time.Second
	}
	if o.Patience <= 0 {
		o.Patience = 3 * time.Second
	}
	if o.Sync == nil {
		o.Sync = func() error { return nil }
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
	return o
}

var (
	// ErrInUse means that another process has the file open.
	ErrInUse = errors.New("another sensor uses it: use a separate state file for each sensor")
	// ErrForeign means that the file is something else.
	ErrForeign = errors.New("this is no state file: use another name")
	// ErrDamaged means that the file is a state file and cannot be read.
	ErrDamaged = errors.New("the state file is damaged: move it away to start without state")
)

// Store is an open state file. Load, Ready, Save, Final and Decided have one caller. Ready, Save and Decided never wait for the disk.
type Store struct {
	path string
	o    Options
	db   *bolt.DB

	journal journal
	clock   int64 // of the last snapshot; 0: none
	wall    time.Time
	more    bool // the current snapshot is not complete
	late    bool // a snapshot is due and cannot start
	whole   bool // the last batch contains everything that was decided
	lost    bool // the last snapshot could not be written
	sync    chan *os.File
	step    uint64 // of the last batch
	batch   *snapshot.Batch
	jobs    chan job
	free    chan *snapshot.Batch
	done    chan struct{}
	closing chan struct{}
	old     []byte // changes in the journal of the previous run that are not in the database yet

	mu    sync.Mutex
	stats Stats
}

// job is a batch on its way to the disk.
type job struct {
	batch *snapshot.Batch
	old   []byte
	clock int64
	step  uint64
	done  bool // it completes the snapshot
}

// Stats is the counters and the current state of a store.
type Stats struct {
	Saves         uint64 // snapshots on disk
	Records       uint64 // records in them
	Errors        uint64 // writes that failed
	Postponed     uint64 // snapshots that were due while the previous one was still being written
	JournalErrors uint64 // alerts that could not be written to the journal
	LeftOut       uint64 // records that could not be read at the start
	Restored      uint64 // records that were restored at the start
	Repeated      uint64 // alerts that were sent again after a crash
	Clock         int64  // capture clock of the last snapshot, nanoseconds; 0: none
	Seconds       float64
	Bytes         int64 // of the database
	JournalBytes  int64
	Fault         error // why no snapshot can be written now; nil if it can
}

// Open opens the state file of a sensor, and creates it if there is none. The error is one line that includes what to do. The structure of the
// file is checked before it is used, so that a damaged or hostile file can do no harm.
func Open(path string, o Options) (*Store, error) {
	s, err := open(path, o.withDefaults())
	if errors.Is(err, ErrDamaged) && o.MoveDamaged {
		moved := fmt.Sprintf("%s.damaged-%d", path, time.Now().Unix())
		if e := os.Rename(path, moved); e != nil {
			return nil, fmt.Errorf("state %s: %w", path, errors.Join(err, e))
		}
		removeJournals(path)
		s, err = open(path, o.withDefaults())
		if err == nil {
			s.o.Report(fmt.Errorf("state %s was damaged and has been moved to %s: the sensor starts without state", path, moved))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", path, plain(err))
	}
	return s, nil
}

// plain removes the file name from an error whose message has it already.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func open(path string, o Options) (*Store, error) {
	fresh, err := inspect(path)
	if err != nil {
		return nil, err
	}
	var db *bolt.DB
	err = withRecovery(func() (err error) {
		db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: 200 * time.Millisecond, NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
		return err
	})
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, o: o, db: db, batch: &snapshot.Batch{}, jobs: make(chan job, 1), free: make(chan *snapshot.Batch, 1),
		done: make(chan struct{}), closing: make(chan struct{}), sync: make(chan *os.File, 1)}
	if err := s.begin(fresh); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.free <- &snapshot.Batch{}
	go s.write()
	go s.syncJournal()
	return s, nil
}

// begin checks the owner of the state and reads the journal.
func (s *Store) begin(fresh bool) error {
	if err := os.Chmod(s.path, 0o600); err != nil {
		return err
	}
	if fresh {
		removeJournals(s.path)
	} else if err := s.identify(); err != nil {
		return err
	}
	s.stats.Clock = s.clock
	err := s.journal.open(s.path, s.step, func(e entry) {
		s.step = max(s.step, e.step)
		s.old = append(s.old, e.changes...)
	})
	s.whole = !s.journal.keep
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum returns the checksum of a record with its part and key, so that a record in the wrong place counts as damaged.
func sum(part string, key, value []byte) uint32 {
	x := crc32.Checksum([]byte(part), castagnoli)
	x = crc32.Update(x, castagnoli, key)
	return crc32.Update(x, castagnoli, value)
}

// base returns the name of a part without its version: "callbacks" of "callbacks/1".
func base(part string) string {
	name, _, _ := strings.Cut(part, "/")
	return name
}

// Unsent returns how many alerts are in the journal of a sensor that was killed. Its next run sends them again.
func (s *Store) Unsent() int { return len(s.journal.unsent) }

// Stats returns the current counters.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

func (s *Store) count(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.stats)
}
