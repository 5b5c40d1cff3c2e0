// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	paths   []string  // of the captures, also of copies
	hash    bool      // hash pipes
	follow  *follower // nil: the captures are read to their ends
	reads   []Read    // of the captures before cur

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
	source
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

// HashPipes hashes the bytes of standard input and other pipes, which cannot be read a second time; see Read.
func HashPipes() Option {
	return func(f *Files) { f.hash = true }
}

// OpenFiles opens captures and sorts them by the time of their first packets, those without packets last. Captures whose first packets have the
// same time are sorted by their contents (see ranking), so the order of paths does not matter. Of captures with the same packets one is read,
// and empty files are skipped if there are others; see Skipped. "-" is standard input.
//
// A path may be a folder or a zip archive, of which all captures are read and other files are skipped, or a pattern as in path/filepath.Match.
//
// The error joins one for each path that cannot be read, in the order of paths: *fs.PathError if it cannot be opened, *FormatError if it is not
// a capture. A damaged capture is not an error.
func OpenFiles(paths []string, opts ...Option) (*Files, error) {
	f := &Files{size: batchSize}
	for _, o := range opts {
		o(f)
	}
	if f.follow != nil {
		if err := f.follow.start(paths); err != nil {
			return nil, err
		}
		return f, nil
	}
	files, folders, errs := find(paths)
	o := opening{Files: f, order: len(files) > 1, folders: folders, errs: errs, good: map[string]int{}, others: map[string][]string{}}
	for _, x := range files {
		o.take(x)
	}
	if err := o.end(); err != nil {
		f.Close()
		return nil, err
	}
	f.arrange()
	return f, nil
}

// opening is the state of OpenFiles.
type opening struct {
	*Files
	order       bool // pipes need the time of their first packet
	stdin       bool // it was given
	folders     []string
	good        map[string]int      // number of captures by folder
	others      map[string][]string // other files by folder
	errs, empty []error
}

// take adds a file to the queue if it is a capture.
func (o *opening) take(x found) {
	if x.path == Stdin && o.stdin {
		o.errs = append(o.errs, errStdinTwice)
		return
	}
	o.stdin = o.stdin || x.path == Stdin
	e, err := look(x.source, o.order, o.hash)
	var format *FormatError
	switch isFormat := errors.As(err, &format); {
	case errors.Is(err, errArchive):
		o.archive(x)
	case isFormat && x.folder != "":
		o.other(x)
	case isFormat && len(format.Head) == 0:
		o.empty = append(o.empty, err)
		o.skipped = append(o.skipped, Skipped{File: format.File, Reason: "it is empty"})
	case err != nil:
		o.errs = append(o.errs, err)
	default:
		o.good[x.folder]++
		o.queue, o.paths = append(o.queue, e), append(o.paths, x.path)
	}
}

// archive takes the members of a zip archive. In a folder, an archive that cannot be read is one of the other files, because many formats of
// documents are zip archives.
func (o *opening) archive(x found) {
	members, err := membersOf(x.path)
	switch {
	case err != nil && x.folder != "":
		o.other(x)
		return
	case err != nil:
		o.errs = append(o.errs, err)
		return
	case x.folder == "":
		x.folder = x.path
		o.folders = append(o.folders, x.path)
	}
	for i := range members {
		o.take(found{source{x.path, &members[i]}, x.folder})
	}
}

// other notes a file of a folder that is not a capture.
func (o *opening) other(x found) {
	name, err := filepath.Rel(x.folder, x.String())
	if err != nil {
		name = x.String()
	}
	o.others[x.folder] = append(o.others[x.folder], name)
}

// end returns the errors, and lists what was skipped.
func (o *opening) end() error {
	for _, folder := range o.folders {
		names := o.others[folder]
		if o.good[folder] == 0 {
			o.errs = append(o.errs, fmt.Errorf("%s: no capture in it", folder))
		} else if len(names) > 0 {
			o.skipped = append(o.skipped, Skipped{File: folder, Reason: noCaptures(names)})
		}
	}
	if len(o.queue) == 0 {
		o.errs = append(o.errs, o.empty...)
	}
	return errors.Join(o.errs...)
}

// arrange sorts the queue, removes copies, and adds up the sizes.
func (f *Files) arrange() {
	r := ranking{same: map[[2]string]bool{}}
	slices.SortFunc(f.queue, r.compare)
	all := f.queue
	f.queue = all[:0]
	for _, e := range all {
		if n := len(f.queue); n > 0 && r.same[[2]string{f.queue[n-1].String(), e.String()}] {
			f.skipped = append(f.skipped, Skipped{File: e.String(), Reason: "it holds the same packets as " + f.queue[n-1].String()})
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

// Skipped returns the captures that are not read, and folders with other files.
func (f *Files) Skipped() []Skipped { return f.skipped }

// Paths returns the files of the captures, also of those that are skipped as copies. The captures of an archive have the same path.
func (f *Files) Paths() []string { return f.paths }

// look opens a capture, reads the time of its first packet, and closes it again if it can be opened a second time. Without order it does not wait
// for the first packet of a pipe, which may be late.
func look(from source, order, hash bool) (e entry, err error) {
	s, err := openHashed(from, hash)
	if err != nil {
		return e, err
	}
	e.source, e.size = from, -1
	if order || s.regular {
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
			b.File = f.cur.name
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
	for !f.isClosed() {
		e, s, err := f.open()
		if s == nil && err == nil {
			return false
		}
		f.files.Add(1)
		if err != nil { // it existed when OpenFiles opened it
			f.reads = append(f.reads, e.read())
			f.record(Damage{File: e.String(), Reason: err.Error()})
			continue
		}
		f.mu.Lock()
		f.cur, f.shown = s, s
		f.mu.Unlock()
		return true
	}
	return false
}

// open opens the next capture of the queue, or the next one that is followed. It returns no stream after the last one.
func (f *Files) open() (e entry, s *stream, err error) {
	if f.follow != nil {
		k := f.follow.next()
		if k == nil {
			return e, nil, nil
		}
		g := &growing{follower: f.follow, followed: k}
		if s, err = openWith(&stream{from: k.source, grow: g}, f.hash); err != nil {
			f.follow.finished(g, false)
		}
		return k.entry, s, err
	}
	if len(f.queue) == 0 {
		return e, nil, nil
	}
	e, f.queue = f.queue[0], f.queue[1:]
	if e.live != nil {
		return e, e.live, nil
	}
	s, err = openHashed(e.source, f.hash)
	return e, s, err
}

// finish closes the current capture. err is io.EOF or the reason why it cannot be read further.
func (f *Files) finish(err error) {
	s := f.cur
	if !errors.Is(err, io.EOF) && !f.isClosed() {
		f.record(Damage{File: s.name, Packet: s.packets, Offset: s.off, Reason: err.Error()})
	}
	s.close()
	f.reads = append(f.reads, s.summary())
	if s.grow != nil {
		f.follow.finished(s.grow, errors.Is(err, io.EOF))
	}
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
	if f.follow != nil {
		close(f.follow.closed)
	}
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
