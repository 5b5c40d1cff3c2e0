// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// pollEvery is how often a file that grows, or a folder, is looked at again.
const pollEvery = 100 * time.Millisecond

var (
	errFollowPipe    = errors.New("cannot be followed: only files and folders can; a pipe is read until its writer closes it anyway")
	errFollowArchive = errors.New("is a zip archive, which cannot be followed")
)

// Follow makes Next wait at the end of the last file for more data, and for new files in folders and of patterns, until Close. A file is complete
// when a newer one has appeared and it has not grown for the time idle.
//
// Files are read in the order of their first packets among those that are there. Whether a file is complete decides only when the next one is
// read, so the frames are those of the finished files.
func Follow(idle time.Duration) Option {
	return func(f *Files) {
		f.follow = &follower{idle: idle, known: map[string]*followed{}, closed: make(chan struct{}), damage: f.record}
	}
}

// follower finds the files to read. Its methods are called by the goroutine that reads and by that of the decompressor.
type follower struct {
	idle   time.Duration
	paths  []string
	closed chan struct{}
	damage func(Damage)

	mu      sync.Mutex // guards the following fields
	known   map[string]*followed
	waiting []*followed // not read yet, in the order of first packets
	due     time.Time   // of the next scan
}

// followed is a file that was found.
type followed struct {
	entry
	info  os.FileInfo // when it was last looked at
	state followState
	read  int64 // how far it was read, when it is finished
}

type followState uint8

const (
	notCapture followState = iota // yet
	noPacket                      // yet
	isWaiting
	isReading
	isFinished
)

// start checks the paths, so that a mistake is an error at once.
func (f *follower) start(paths []string) error {
	f.paths = paths
	var errs []error
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case p == Stdin:
			errs = append(errs, fmt.Errorf("standard input: %w", errFollowPipe))
		case err != nil && strings.ContainsAny(p, `*?[`): // files may appear
		case err != nil:
			errs = append(errs, err)
		case info.IsDir():
		case !info.Mode().IsRegular():
			errs = append(errs, fmt.Errorf("%s: %w", p, errFollowPipe))
		default:
			errs = append(errs, checkFollowed(p))
		}
	}
	return errors.Join(errs...)
}

// checkFollowed returns an error if a file is something else than a capture, or the beginning of one.
func checkFollowed(path string) error {
	_, err := look(source{path: path}, true, false)
	var format *FormatError
	switch {
	case errors.As(err, &format) && len(format.Head) < 4:
		return nil
	case errors.Is(err, errArchive):
		return fmt.Errorf("%s: %w", path, errFollowArchive)
	}
	return err
}

// next returns the file to read next. It waits until there is one, or returns nil after close.
func (f *follower) next() *followed {
	for {
		f.mu.Lock()
		f.scan()
		if len(f.waiting) > 0 {
			k := f.waiting[0]
			f.waiting, k.state = f.waiting[1:], isReading
			f.mu.Unlock()
			return k
		}
		f.mu.Unlock()
		if !f.wait() {
			return nil
		}
	}
}

// wait returns false after close.
func (f *follower) wait() bool {
	t := time.NewTimer(pollEvery)
	defer t.Stop()
	select {
	case <-f.closed:
		return false
	case <-t.C:
		return true
	}
}

// scan looks for new files, but at most a tenth of the time: a folder may have many. What cannot be opened now may be opened later.
func (f *follower) scan() {
	began := time.Now()
	if began.Before(f.due) {
		return
	}
	files, _, errs := find(f.paths)
	there := map[string]bool{}
	for _, x := range files {
		there[x.path] = true
		if info, err := os.Stat(x.path); err == nil && info.Mode().IsRegular() {
			f.update(x.path, info)
		}
	}
	if len(errs) == 0 { // a rotation that runs for months must not fill the table
		maps.DeleteFunc(f.known, func(path string, k *followed) bool {
			return !there[path] && k.state != isWaiting && k.state != isReading
		})
	}
	slices.SortStableFunc(f.waiting, func(a, b *followed) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.path, b.path)) })
	f.due = time.Now().Add(max(pollEvery/2, 10*time.Since(began)))
}

// update looks at a file if it has changed.
func (f *follower) update(path string, info os.FileInfo) {
	k := f.known[path]
	if k == nil {
		k = &followed{}
		f.known[path] = k
	} else if k.state == isReading || sameState(k.info, info) {
		return
	}
	k.info = info
	e, err := look(source{path: path}, true, false)
	switch {
	case err != nil:
	case e.first == math.MaxInt64:
		if k.state == notCapture {
			k.state = noPacket
		}
	case k.state < isWaiting:
		f.enqueue(k, e)
	case k.first == e.first:
		if k.state == isFinished && info.Size() > k.read {
			f.damage(Damage{File: path, Offset: k.read, Reason: "it has grown after a newer file had appeared; what was added is not read: a longer --follow-idle waits for it"})
			k.read = math.MaxInt64
		}
	case k.state == isWaiting:
		f.damage(Damage{File: path, Reason: "it was overwritten before it was read"})
		k.entry = e
	default: // the name is used again
		f.enqueue(k, e)
	}
}

func (f *follower) enqueue(k *followed, e entry) {
	k.entry, k.state = e, isWaiting
	f.waiting = append(f.waiting, k)
}

// sameState reports whether a file has not changed.
func sameState(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// finished notes that a file was read to its end. Of one that is damaged or cannot be opened, the rest is not expected to be read.
func (f *follower) finished(g *growing, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := g.followed
	k.state, k.read = isFinished, math.MaxInt64
	if whole {
		k.read = g.off
	}
	if info, err := g.file.Stat(); err == nil {
		k.info = info
	}
}

// growing reads a file that another program writes. At the end of what is there it waits.
type growing struct {
	*follower
	followed *followed
	file     *os.File
	off      int64
	ended    time.Time // when the end was first met since the last data; zero: it was not
	last     bool      // the file is complete: its next end is the end
}

// Read implements io.Reader.
func (g *growing) Read(p []byte) (int, error) {
	for {
		n, err := g.file.Read(p)
		switch {
		case n > 0 || err != io.EOF:
			g.off += int64(n)
			g.ended, g.last = time.Time{}, false
			return n, err
		case g.last:
			return 0, io.EOF
		case g.complete(): // what was written before is still read
			g.last = true
		case !g.wait():
			return 0, os.ErrClosed
		}
	}
}

// complete reports whether the writer of the file has begun another one, and left this one alone since.
func (g *growing) complete() bool {
	if g.ended.IsZero() {
		g.ended = time.Now()
	}
	info, err := g.file.Stat()
	if err != nil {
		return true
	}
	if info.Size() < g.off {
		g.damage(Damage{File: g.followed.path, Offset: g.off, Reason: "it was overwritten before it was read to its end"})
		return true
	}
	// The time of a finished file is in the past. A clock of a file server that is wrong is of no use.
	if time.Since(info.ModTime()) < g.idle && time.Since(g.ended) < g.idle {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.scan()
	if now, err := os.Stat(g.followed.path); err != nil || !os.SameFile(now, info) { // it was renamed, or its name is used again
		return true
	}
	if len(g.waiting) > 0 {
		return true
	}
	for _, k := range g.known {
		if k.state == noPacket && k.info.ModTime().After(info.ModTime()) {
			return true
		}
	}
	return false
}
