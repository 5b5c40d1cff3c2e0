// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
)

const (
	// maxFrame bounds one frame in bytes. No link has larger ones; a larger claim is damage, not a reason to allocate.
	maxFrame = 16 << 20
	// peekSize is read at a time, and maxPeek altogether, to find the first packet of a capture.
	peekSize = 16 << 10
	maxPeek  = 2 * maxFrame
	// keepFactor times the usual size is the largest buffer that a batch keeps after a large frame.
	keepFactor = 4
	// emptyReads without an error are taken before a reader is given up.
	emptyReads = 100
)

// format takes records apart. One value reads one capture from its first byte on.
type format interface {
	// parse appends the frames of data to b, at most limit of them, with offsets into data. used is how many bytes it
	// is done with; need is the length that data must have from there on for the next record, more than is left of it.
	// last is the time for frames that have none. An error is the reason why the capture cannot be read on, and holds
	// at data[used].
	parse(data []byte, b *Batch, last int64, limit int) (used, need int, err error)
}

// stream is one open capture.
type stream struct {
	name    string
	regular bool
	size    int64         // of the stored file, if regular
	read    atomic.Uint64 // bytes of the stored file so far

	raw  *os.File
	r    io.Reader // uncompressed
	stop func()    // ends the decompressor
	head []byte    // first bytes, uncompressed: what the format was recognised by
	form format

	tail    []byte // read and not yet taken apart
	off     int64  // place of tail[0] in the uncompressed bytes
	packets uint64
	given   uint64 // bytes of the frames of the last batch
	mean    int    // bytes of a record in the last batch, 0 before the first
	readErr error  // of r, io.EOF at the end
	broken  error  // reason why the records cannot be taken apart any further
}

// openStream opens a capture and recognises it by its first bytes.
func openStream(path string) (*stream, error) {
	s := &stream{name: path, stop: func() {}}
	if path == Stdin {
		s.name, s.raw = "standard input", openStdin()
	} else {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		s.raw = f
	}
	if err := s.start(path == Stdin); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openStdin opens standard input once more if it is a pipe, in such a way that Close ends a read that waits. Changing
// the pipe itself would change it for the processes that share it. Not blocking, the opening does not wait for a writer
// that may be done already.
func openStdin() *os.File {
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return os.Stdin
	}
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", os.Stdin.Fd()), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil { // another system, or a pipe of another user
		return os.Stdin
	}
	return f
}

func (s *stream) start(stdin bool) error {
	info, err := s.raw.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return &fs.PathError{Op: "open", Path: s.name, Err: errDirectory}
	}
	if s.regular = info.Mode().IsRegular() && !stdin; s.regular {
		s.size = info.Size()
		adviseSequential(s.raw)
	}
	s.r = counted{s.raw, &s.read}
	s.head, err = readHead(s.r)
	if err != nil {
		return &fs.PathError{Op: "read", Path: s.name, Err: err}
	}
	return s.recognise()
}

// recognise takes off the compression and chooses the format. Compressed bytes that are damaged from the start on are
// told by next, like any damage.
func (s *stream) recognise() error {
	wrap := compression(s.head)
	if wrap != "" {
		a := decompress(wrap, s.head, s.r)
		s.r, s.stop = a, a.stop
		var err error
		if s.head, err = readHead(s.r); err != nil {
			s.broken = err
			return nil
		}
	}
	s.tail = append(s.tail, s.head...)
	if s.form = formatOf(s.head); s.form == nil {
		return &FormatError{File: s.name, Head: s.head, Wrap: wrap}
	}
	return nil
}

// formatOf gives a reader for the capture that starts with head, nil if there is none.
func formatOf(head []byte) format {
	if f := newPcap(head); f != nil {
		return f
	}
	if f := newPcapng(head); f != nil {
		return f
	}
	return nil
}

// readHead reads four bytes, fewer only if there are no more.
func readHead(r io.Reader) ([]byte, error) {
	b := make([]byte, 4)
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:n], err
}

// firstTime reads ahead until the first packet and gives its time, the largest value if there is none. What was read
// stays in tail.
func (s *stream) firstTime() int64 {
	var b Batch
	probe, at := formatOf(s.head), 0
	for s.broken == nil {
		used, _, err := probe.parse(s.tail[at:], &b, 0, 1)
		if len(b.Frames) > 0 {
			return b.Frames[0].Time
		}
		if err != nil || s.readErr != nil || len(s.tail) >= maxPeek {
			break
		}
		at += used
		n := len(s.tail)
		s.tail = slices.Grow(s.tail, peekSize)[:n+peekSize]
		s.tail = s.tail[:n+s.more(s.tail[n:])]
	}
	return math.MaxInt64
}

// more reads at least one byte, but at the end, which readErr then tells.
func (s *stream) more(p []byte) (n int) {
	for range emptyReads {
		if n, s.readErr = s.r.Read(p); n > 0 || s.readErr != nil {
			return n
		}
	}
	s.readErr = io.ErrNoProgress
	return 0
}

// next fills b with the next frames, or tells with no frames why there are none: io.EOF or the damage.
func (s *stream) next(b *Batch, size int, last int64) error {
	if s.broken != nil {
		return s.broken
	}
	b.Data = room(b.Data, s.fit(size), len(s.tail))
	n := copy(b.Data, s.tail)
	for {
		used, need, err := s.form.parse(b.Data[:n], b, last, math.MaxInt)
		s.off += int64(used)
		s.broken = err
		if len(b.Frames) > 0 {
			b.More = n == len(b.Data) // a pipe gives less once it is empty
			s.hand(b, used, n)
			return nil
		}
		n = copy(b.Data, b.Data[used:n])
		switch {
		case err != nil:
			return err
		case s.readErr == io.EOF && n > 0:
			return fmt.Errorf("the file ends in the middle of a record: %d of %d bytes are there", n, need)
		case s.readErr != nil:
			return s.readErr
		}
		if n == len(b.Data) {
			b.Data = append(b.Data, make([]byte, min(max(need-n, 1), n))...)
		}
		n += s.more(b.Data[n:])
	}
}

// fit gives the size of the next batch: at most size bytes, and fewer if frames are so small that there would be more of them than
// whoever decodes them wants to hold.
func (s *stream) fit(size int) int {
	if s.mean == 0 {
		return size
	}
	return min(size, max(size/16, s.mean*batchFrames))
}

// hand gives the batch to its owner and keeps what was read behind its last record.
func (s *stream) hand(b *Batch, used, n int) {
	s.tail = append(s.tail[:0], b.Data[used:n]...)
	b.Data = b.Data[:n]
	s.packets += uint64(len(b.Frames))
	s.mean = used / len(b.Frames)
	s.given = 0
	for i := range b.Frames {
		s.given += uint64(b.Frames[i].Len)
	}
}

// room gives a buffer of at least size bytes that also holds have. A buffer that grew for one large frame is not
// kept: every batch in flight would end up as large.
func room(b []byte, size, have int) []byte {
	want := max(size, have)
	if cap(b) < want || cap(b) > max(keepFactor*size, want) {
		return make([]byte, want)
	}
	return b[:want]
}

// close may be called twice, and while a read waits.
func (s *stream) close() {
	s.stop()
	_ = s.raw.Close() // it was only read: an error loses nothing
}

// counted counts the bytes that are read from r.
type counted struct {
	r io.Reader
	n *atomic.Uint64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(uint64(max(n, 0)))
	return n, err
}
