// SPDX-License-Identifier: Apache-2.0

// Package state keeps what a sensor knows in a file, so that it survives a restart, and a kill: snapshots of what has changed go into a
// bbolt database by a goroutine of its own, and each alert goes into a journal beside it before it is handed on.
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

// Options of a store. Zero means the default.
type Options struct {
	Sensor, Site string // whose state it is: that of another is refused
	Version      string // of the program, for who looks at the file
	// NotAfter refuses a state whose capture clock (nanoseconds since the epoch) is later: the clock of a live sensor would stand
	// until it is caught up with. 0: any.
	NotAfter int64
	// SetAside renames a file that is damaged and begins a new one, as a live sensor must that nobody watches; else it is refused.
	SetAside bool
	// Interval is between two snapshots on the capture clock, default ten seconds; Pause on the wall clock, default one second, for
	// replays, whose capture clock runs faster.
	Interval, Pause time.Duration
	// Patience is how long the end of a run waits for a disk that takes nothing, and three times as long for one that is at work;
	// default three seconds.
	Patience time.Duration
	// Sync waits until all alerts that were handed on are on disk. It is called before a snapshot that holds them is written; nil: there
	// is nothing to wait for.
	Sync func() error
	// Told is called with what an operator should know, a line each; nil: nobody is.
	Told func(error)
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
	if o.Told == nil {
		o.Told = func(error) {}
	}
	return o
}

// Errors of a store.
var (
	ErrInUse   = errors.New("another sensor uses it: give each a state file of its own")
	ErrForeign = errors.New("this is no state file: give another name")
	ErrDamaged = errors.New("the state file is damaged: move it away to begin anew")
)

// Store is a state file that is open. Load, Ready, Save, Final and Decided have one caller, who is never made to wait for the disk.
type Store struct {
	path string
	o    Options
	db   *bolt.DB

	journal journal
	clock   int64 // of the snapshot that was saved last; 0: none
	wall    time.Time
	more    bool // the snapshot at work is not complete
	late    bool // one is due and cannot begin
	whole   bool // all that was told is in what was handed over
	lost    bool // the last snapshot was not taken
	sync    chan *os.File
	step    uint64 // of the last batch that was handed over
	batch   *snapshot.Batch
	jobs    chan job
	free    chan *snapshot.Batch
	done    chan struct{}
	closing chan struct{}
	old     []byte // changes of the journal that are not in the database yet

	mu    sync.Mutex
	stats Stats
}

// job is a batch on its way to the disk.
type job struct {
	batch *snapshot.Batch
	old   []byte
	clock int64
	step  uint64
	done  bool // the snapshot is complete with it
}

// Stats counts what a store did, and how it stands.
type Stats struct {
	Saves         uint64 // snapshots that are on disk
	Records       uint64 // in them
	Errors        uint64 // attempts that failed
	Postponed     uint64 // snapshots that were due while the one before was still being written
	JournalErrors uint64 // alerts that could not be written to the journal
	LeftOut       uint64 // records that could not be read at the start
	Restored      uint64 // records that could
	Repeated      uint64 // alerts that were handed on again after a kill
	Clock         int64  // capture clock of the last snapshot, nanoseconds; 0: none
	Seconds       float64
	Bytes         int64 // of the database
	JournalBytes  int64
	Fault         error // why nothing can be saved at present; nil if all is well
}

// Open opens the state of a sensor, and makes a new one if there is none. The error is one line that says what is wrong and what
// to do. What the file holds has been checked as far as nothing in it can harm.
func Open(path string, o Options) (*Store, error) {
	s, err := open(path, o.withDefaults())
	if errors.Is(err, ErrDamaged) && o.SetAside {
		aside := fmt.Sprintf("%s.damaged-%d", path, time.Now().Unix())
		if e := os.Rename(path, aside); e != nil {
			return nil, fmt.Errorf("state %s: %w", path, errors.Join(err, e))
		}
		removeJournals(path)
		s, err = open(path, o.withDefaults())
		if err == nil {
			s.o.Told(fmt.Errorf("state %s was damaged and has been moved to %s: all is learned anew", path, aside))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", path, plain(err))
	}
	return s, nil
}

// plain takes the name of the file from an error that is told with it.
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
	err = guarded(func() (err error) {
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

// begin reads whose state it is, and what the journal has.
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
	return s.journal.open(s.path, s.step, func(e entry) {
		s.step = max(s.step, e.step)
		s.old = append(s.old, e.changes...)
	})
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is over a record with its place, so that one that has got to another place counts as damaged.
func sum(part string, key, value []byte) uint32 {
	x := crc32.Checksum([]byte(part), castagnoli)
	x = crc32.Update(x, castagnoli, key)
	return crc32.Update(x, castagnoli, value)
}

// base gives the name of a part without its form: "callbacks" of "callbacks/1".
func base(part string) string {
	name, _, _ := strings.Cut(part, "/")
	return name
}

// Stats gives the counts.
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
