// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
)

// batchSize is the usual size of Batch.Data in bytes, and batchFrames about the most frames of a batch. Larger batches move between processors
// less often, smaller ones stay in the cache; these sizes measured best.
const (
	batchSize   = 1 << 18
	batchFrames = 512
)

// Stdin is the path of standard input.
const Stdin = "-"

// Files reads captures one after another, in the order of their first packets. Next has one caller at a time; Stats
// and Close may be called from any goroutine.
type Files struct {
	queue []entry
	cur   *stream
	size  int
	total uint64 // size of the stored files, 0 if one of them has no size
	last  int64  // time of the last frame, for frames without a time

	skipped []Skipped

	files, frames, bytes atomic.Uint64

	mu     sync.Mutex // guards the following fields
	damage []Damage
	shown  *stream // cur, for Stats and Close
	done   uint64  // stored bytes of the files read before cur
	closed bool
}

// entry is a capture in the queue. A regular file is closed until it is read, so that a thousand captures do not need a thousand descriptors. A
// pipe, which cannot be opened twice, stays open.
type entry struct {
	path  string
	first int64
	size  int64 // -1 if not a regular file
	live  *stream
}

// Skipped is a capture that is not read, and why.
type Skipped struct{ File, Reason string }

// Option changes how captures are read.
type Option func(*Files)

// BatchSize sets the usual size of Batch.Data in bytes, at least 64.
func BatchSize(n int) Option {
	return func(f *Files) { f.size = max(n, 64) }
}

// OpenFiles opens captures and sorts them by the time of their first packets, those without packets last. Captures whose first packets have the
// same time are sorted by their contents (see ranking), so the order of paths does not matter. Of captures with the same packets one is read,
// and empty files are skipped if there are others; see Skipped. "-" is standard input.
//
// The error joins one for each path that cannot be read, in the order of paths: *fs.PathError if it cannot be opened, *FormatError if it is not
// a capture. A damaged capture is not an error.
func OpenFiles(paths []string, opts ...Option) (*Files, error) {
	f := &Files{size: batchSize}
	for _, o := range opts {
		o(f)
	}
	var errs, empty []error
	for i, p := range paths {
		e, err := entry{}, errStdinTwice
		if p != Stdin || !slices.Contains(paths[:i], Stdin) {
			e, err = look(p, len(paths) > 1)
		}
		var format *FormatError
		switch {
		case errors.As(err, &format) && len(format.Head) == 0:
			empty = append(empty, err)
			f.skipped = append(f.skipped, Skipped{File: format.File, Reason: "it is empty"})
		case err != nil:
			errs = append(errs, err)
		default:
			f.queue = append(f.queue, e)
		}
	}
	if len(f.queue) == 0 {
		errs = append(errs, empty...)
	}
	if len(errs) > 0 {
		f.Close()
		return nil, errors.Join(errs...)
	}
	f.arrange()
	return f, nil
}

// arrange sorts the queue, removes copies, and adds up the sizes.
func (f *Files) arrange() {
	r := ranking{same: map[[2]string]bool{}}
	slices.SortFunc(f.queue, r.compare)
	all := f.queue
	f.queue = all[:0]
	for _, e := range all {
		if n := len(f.queue); n > 0 && r.same[[2]string{f.queue[n-1].path, e.path}] {
			f.skipped = append(f.skipped, Skipped{File: e.path, Reason: "it holds the same packets as " + f.queue[n-1].path})
			continue
		}
		f.queue = append(f.queue, e)
	}
	for _, e := range f.queue {
		if e.size < 0 {
			f.total = 0
			return
		}
		f.total += uint64(e.size)
	}
}

// Skipped returns the captures that are not read.
func (f *Files) Skipped() []Skipped { return f.skipped }

// look opens a capture, reads the time of its first packet if order is set, and closes it again if it can be opened a second time.
func look(path string, order bool) (e entry, err error) {
	s, err := openStream(path)
	if err != nil {
		return e, err
	}
	e.path, e.size = path, -1
	if order { // not for a single pipe: its first packet may be late
		e.first = s.firstTime()
	}
	if !s.regular {
		e.live = s
		return e, nil
	}
	e.size = s.size
	s.close()
	return e, nil
}

// Next implements Source. It returns as soon as it has frames, so that a pipe is followed without delay.
func (f *Files) Next(b *Batch) error {
	b.Frames, b.More = b.Frames[:0], false
	for {
		if f.cur == nil && !f.advance() {
			b.Data = b.Data[:0]
			if f.isClosed() {
				return os.ErrClosed
			}
			return io.EOF
		}
		err := f.cur.next(b, f.size, f.last)
		if n := len(b.Frames); n > 0 {
			f.last = b.Frames[n-1].Time
			f.frames.Add(uint64(n))
			f.bytes.Add(f.cur.given)
			return nil
		}
		if err != nil {
			f.finish(err)
		}
	}
}

// advance opens the next capture. It returns false after the last one and after Close.
func (f *Files) advance() bool {
	for len(f.queue) > 0 && !f.isClosed() {
		e := f.queue[0]
		f.queue = f.queue[1:]
		s, err := e.live, error(nil)
		if s == nil {
			s, err = openStream(e.path)
		}
		f.files.Add(1)
		if err != nil { // it existed when OpenFiles opened it
			f.record(Damage{File: e.path, Reason: err.Error()})
			continue
		}
		f.mu.Lock()
		f.cur, f.shown = s, s
		f.mu.Unlock()
		return true
	}
	return false
}

// finish closes the current capture. err is io.EOF or the reason why it cannot be read further.
func (f *Files) finish(err error) {
	s := f.cur
	if !errors.Is(err, io.EOF) && !f.isClosed() {
		f.record(Damage{File: s.name, Packet: s.packets, Offset: s.off, Reason: err.Error()})
	}
	s.close()
	f.mu.Lock()
	f.done += s.read.Load()
	f.shown = nil
	f.mu.Unlock()
	f.cur = nil
}

func (f *Files) record(d Damage) {
	f.mu.Lock()
	f.damage = append(f.damage, d)
	f.mu.Unlock()
}

func (f *Files) isClosed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed
}

// Stats implements Source. Damage is a copy.
func (f *Files) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	read := f.done
	if f.shown != nil {
		read += f.shown.read.Load()
	}
	return Stats{
		Files: f.files.Load(), Frames: f.frames.Load(), Bytes: f.bytes.Load(),
		BytesRead: read, BytesTotal: f.total, Damage: slices.Clone(f.damage),
	}
}

// Close implements Source. A Next that waits for a pipe returns.
func (f *Files) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	if f.shown != nil {
		f.shown.close()
	}
	for _, e := range f.queue {
		if e.live != nil {
			e.live.close()
		}
	}
	return nil
}
