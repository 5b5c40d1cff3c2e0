// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// chunkBytes is how much is read of a segment at once.
const chunkBytes = 4 << 20

// The pauses after the disk did not give back a segment: they double from the first to the last.
const (
	firstReadPause = 250 * time.Millisecond
	lastReadPause  = 10 * time.Second
)

// segmentFile is a segment that is read from.
type segmentFile interface {
	io.ReaderAt
	io.Closer
}

func openSegment(path string) (segmentFile, error) { return os.Open(path) }

// reader is where the drain reads.
type reader struct {
	index uint64 // of the next record to hand out
	seg   *segment
	file  segmentFile
	at    int64
	seen  int // records of seg before at

	fault error // why seg cannot be read at present
	pause time.Duration
	again time.Time // not before
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close() // only read from
	}
	r.seg, r.file, r.at, r.seen = nil, nil, 0, 0
}

// Next waits for records and hands out at most limit of them, in order, each once. They are the oldest that were not handed out yet and are
// on disk; while the disk takes nothing, those that wait in memory too. It gives nil when ctx or the spool ends.
func (s *Spool) Next(ctx context.Context, limit int) []Record {
	defer context.AfterFunc(ctx, s.wake)()
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil && !s.closed {
		if out := s.take(limit); len(out) > 0 {
			s.read.index = out[len(out)-1].Index + 1
			return out
		}
		s.changed.Wait()
	}
	return nil
}

// wake takes the lock, so that no waiter can miss it between its check and its wait.
func (s *Spool) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// take gives what comes next. Nothing may be passed over: what is being written comes before what is pending, and what the disk does
// not give back at present before what is behind it.
func (s *Spool) take(limit int) []Record {
	if s.read.fault != nil && s.o.now().Before(s.read.again) {
		return nil
	}
	s.read.fault = nil
	for _, g := range s.segs {
		if g.records() == 0 || g.last < s.read.index {
			continue
		}
		if out := s.takeFrom(g, limit); len(out) > 0 || s.read.fault != nil {
			return out
		}
	}
	if s.fault == nil || len(s.writing) > 0 {
		return nil
	}
	var out []Record
	for i := range s.pending {
		if r := &s.pending[i].rec; r.Index >= s.read.index && len(out) < limit {
			out = append(out, *r)
		}
	}
	return out
}

// takeFrom reads on in a segment until there is something to hand out or the segment is at its end.
func (s *Spool) takeFrom(g *segment, limit int) (out []Record) {
	for size := int64(chunkBytes); len(out) == 0; {
		b, whole := s.chunk(g, size)
		if len(b) == 0 {
			break
		}
		end, _ := scan(b, func(r *Record, _, _ int) bool {
			s.read.seen++
			if r.Index >= s.read.index {
				out = append(out, *r)
			}
			return len(out) < limit
		})
		switch {
		case len(out) == limit || !whole && end > 0:
			s.read.at += int64(end)
		case whole: // what is left is the damaged end of the segment
			s.read.at = g.size
		case size > chunkBytes: // no record begins here
			s.read.at += int64(stepOver(b))
		default: // a record that is larger than a chunk
			size = headBytes + MaxRecord
		}
	}
	if s.read.fault == nil && s.read.at == g.size {
		s.missed(g, s.read.seen)
	}
	return out
}

// stepOver gives where in b the next record may begin.
func stepOver(b []byte) int {
	if i := bytes.Index(b[1:], recordMagic[:]); i >= 0 {
		return i + 1
	}
	return max(len(b)-len(recordMagic)+1, 1)
}

// missed counts the records of a segment that was read to its end, where so many were seen, and that were not in it any more.
func (s *Spool) missed(g *segment, seen int) {
	if n := g.records() - seen - g.lost; n > 0 {
		g.lost += n
		s.live -= min(s.live, uint64(n))
		s.stats.Damaged++
		s.changed.Broadcast()
	}
}

// chunk reads what comes next of a segment, at most size bytes, and tells whether that is all of it. Nothing is given at the end, and
// while the disk does not give it back: then reader.fault is set.
func (s *Spool) chunk(g *segment, size int64) ([]byte, bool) {
	if s.read.seg != g {
		s.read.close()
		f, err := s.o.open(g.path)
		if errors.Is(err, fs.ErrNotExist) { // no later attempt can bring it back
			s.read.seg, s.read.at = g, g.size
			return nil, true
		}
		if err != nil {
			s.unreadable(err)
			return nil, true
		}
		s.read.seg, s.read.file = g, f
	}
	n := min(g.size-s.read.at, size)
	if n <= 0 {
		return nil, true
	}
	b := make([]byte, n)
	got, err := s.read.file.ReadAt(b, s.read.at)
	if err != nil && !errors.Is(err, io.EOF) { // a file that has become shorter is as damaged as one with wrong bytes
		s.read.close()
		s.unreadable(err)
		return nil, true
	}
	s.read.pause = 0
	if got == 0 {
		s.read.at = g.size
	}
	return b[:got], s.read.at+n == g.size
}

// unreadable shows that the disk does not give back a segment, and has it tried again after a while.
func (s *Spool) unreadable(err error) {
	s.read.fault = fmt.Errorf("spool %s: reading: %w", s.dir, err)
	s.read.pause = min(max(2*s.read.pause, firstReadPause), lastReadPause)
	s.read.again = s.o.now().Add(s.read.pause)
	time.AfterFunc(s.read.pause+time.Millisecond, s.wake)
}

// ackSome says that records have arrived though some before them have not. A crash before Ack is told of them sends them again.
func (s *Spool) ackSome(all []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, index := range all {
		s.gone.add(index)
		for _, g := range s.segs {
			if g.first <= index && g.records() > 0 && index <= g.last {
				g.gone++
				break
			}
		}
	}
	s.stats.Acked += uint64(len(all))
	s.live -= min(s.live, uint64(len(all)))
	s.changed.Broadcast()
}

// Ack says that every record that was handed out below index has arrived, n of them since the last time. Segments that are no
// longer needed are deleted.
func (s *Spool) Ack(index uint64, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if index <= s.acked {
		return
	}
	s.stats.Acked += uint64(n)
	s.live -= min(s.live, uint64(n))
	s.acked = index
	s.gone.drop(index)
	if err := writeCursor(s.dir, index, false); err != nil {
		_ = s.failed(err) // sent again after a restart; shown until a write succeeds
	} else if len(s.pending)+len(s.writing) == 0 {
		s.fault = nil
	}
	for len(s.segs) > 0 && s.segs[0].last < index && (s.active == nil || len(s.segs) > 1) {
		if s.read.seg == s.segs[0] {
			s.read.close()
		}
		if err := removeFile(s.segs[0].path); err != nil {
			_ = s.failed(err)
			break
		}
		s.segs = s.segs[1:]
	}
	s.dropDelivered()
	s.prune()
	s.changed.Broadcast()
}

// The cursor is one line: the index below which everything was acknowledged, and a sum of it. A cursor that is damaged
// counts as none: then what is still there is sent again, which does no harm.
func cursorFile(dir string) string { return filepath.Join(dir, "cursor") }

func writeCursor(dir string, index uint64, sync bool) error {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], index)
	binary.BigEndian.PutUint32(b[8:], castagnoli(b[:8]))
	return replace(cursorFile(dir), []byte(hex.EncodeToString(b[:])+"\n"), sync)
}

func readCursor(dir string) uint64 {
	text, err := os.ReadFile(cursorFile(dir))
	if err != nil {
		return 0
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != 12 || castagnoli(b[:8]) != binary.BigEndian.Uint32(b[8:]) {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}
