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

// chunkBytes is the number of bytes that are read from a segment at once.
const chunkBytes = 4 << 20

// The pauses after a segment could not be read double from firstReadPause to lastReadPause.
const (
	firstReadPause = 250 * time.Millisecond
	lastReadPause  = 10 * time.Second
)

// segmentFile is a segment that is open for reading.
type segmentFile interface {
	io.ReaderAt
	io.Closer
}

func openSegment(path string) (segmentFile, error) { return os.Open(path) }

// reader is the read position of the drain.
type reader struct {
	index uint64 // of the next record to hand out
	seg   *segment
	file  segmentFile
	at    int64
	seen  int // records of seg before at

	fault error // why the next segment cannot be read now
	pause time.Duration
	again time.Time // of the next attempt
}

func (r *reader) close() {
	if r.file != nil {
		_ = r.file.Close() // was only read
	}
	r.seg, r.file, r.at, r.seen = nil, nil, 0, 0
}

// Next waits for records and hands out at most limit of them, in order, each once: the oldest on disk that were not handed out yet, and while
// the disk cannot be written also those in memory. It returns nil when ctx ends or the spool is closed.
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

// take returns the next records. It must not skip any: records that are being written come before pending ones, and records that cannot be read
// now before those after them.
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

// takeFrom reads a segment until there are records to hand out or the segment ends.
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
		case whole: // the rest is the damaged end of the segment
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

// stepOver returns the offset in b at which the next record may begin.
func stepOver(b []byte) int {
	if i := bytes.Index(b[1:], recordMagic[:]); i >= 0 {
		return i + 1
	}
	return max(len(b)-len(recordMagic)+1, 1)
}

// missed counts the records that are missing in a segment of which only seen records could be read.
func (s *Spool) missed(g *segment, seen int) {
	if n := g.records() - seen - g.lost; n > 0 {
		g.lost += n
		s.live -= min(s.live, uint64(n))
		s.stats.Damaged++
		s.changed.Broadcast()
	}
}

// chunk reads at most size bytes at the read position of a segment, and reports whether they reach its end. It returns no bytes at the end, and
// after a read error, which it stores in reader.fault.
func (s *Spool) chunk(g *segment, size int64) ([]byte, bool) {
	if s.read.seg != g {
		s.read.close()
		f, err := s.o.open(g.path)
		if errors.Is(err, fs.ErrNotExist) { // trying again is useless
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
	if err != nil && !errors.Is(err, io.EOF) { // a file that became shorter counts as damaged
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

// unreadable records a read error and schedules the next attempt.
func (s *Spool) unreadable(err error) {
	s.read.fault = fmt.Errorf("spool %s: reading: %w", s.dir, err)
	s.read.pause = min(max(2*s.read.pause, firstReadPause), lastReadPause)
	s.read.again = s.o.now().Add(s.read.pause)
	time.AfterFunc(s.read.pause+time.Millisecond, s.wake)
}

// ackSome acknowledges records although some before them are not delivered. After a crash before the next Ack they are sent again.
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

// Ack acknowledges every record below index, of which n are newly delivered. It deletes segments that are no longer needed.
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
		_ = s.failed(err) // after a restart the records are sent again; the fault stays until a write succeeds
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

// The cursor is one line: the index below which every record is acknowledged, and its checksum. A damaged cursor counts as none: the records
// that are still there are sent again, which is harmless.
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
