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

	"stillwatch/sensor/internal/capture/pcapfile"
)

const (
	// peekSize bytes are read at a time, and at most maxPeek, to find the first packet of a capture.
	peekSize = 16 << 10
	maxPeek  = 2 * pcapfile.MaxFrame
	// keepFactor times the usual size is the largest buffer that a batch keeps after a large frame.
	keepFactor = 4
	// emptyReads is how many reads without bytes and error are tolerated.
	emptyReads = 100
)

// stream is one open capture.
type stream struct {
	from    source
	name    string
	regular bool
	size    int64         // of the stored file, if regular
	read    atomic.Uint64 // bytes read of the stored file

	raw  *os.File
	grow *growing  // reads raw; nil: raw is read to its end
	r    io.Reader // uncompressed
	stop func()    // ends the decompressor
	head []byte    // first uncompressed bytes, which identify the format
	form pcapfile.Parser

	tail    []byte // read and not parsed yet
	off     int64  // offset of tail[0] in the uncompressed bytes
	packets uint64
	first   int64  // time of the first packet; 0 before it
	last    int64  // time of the last packet
	given   uint64 // bytes of the frames of the last batch
	mean    int    // mean bytes of a record in the last batch; 0 before the first
	readErr error  // of r, io.EOF at the end
	broken  error  // damage: why the records cannot be parsed further

	sum *checksum // of the bytes read of the stored file; nil: not needed
}

// openStream opens a capture and identifies its format by its first bytes. It returns errArchive for a zip archive.
func openStream(from source) (*stream, error) { return openHashed(from, false) }

// openHashed is openStream. With hash, the bytes of a pipe are hashed while they are read.
func openHashed(from source, hash bool) (*stream, error) {
	return openWith(&stream{from: from}, hash)
}

// openWith is openHashed with a stream of which from and grow are set.
func openWith(s *stream, hash bool) (*stream, error) {
	s.name, s.stop = s.from.String(), func() {}
	if s.from.path == Stdin {
		s.raw = openStdin()
	} else {
		f, err := os.Open(s.from.path)
		if err != nil {
			return nil, err
		}
		s.raw = f
	}
	if err := s.start(hash); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openStdin returns standard input. A pipe is opened again, non-blocking, so that Close ends a waiting read. Changing the existing descriptor
// would change it for the processes that share it. A non-blocking open does not wait for a writer, which may have finished.
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

func (s *stream) start(hash bool) error {
	info, err := s.raw.Stat()
	if err != nil {
		return err
	}
	if s.regular = info.Mode().IsRegular() && s.from.path != Stdin; s.regular {
		s.size = info.Size()
		adviseSequential(s.raw)
	}
	if m := s.from.member; m != nil {
		s.size = m.size
		return s.recognize(m, m.open(s.raw, &s.read), nil)
	}
	var r io.Reader = counted{s.raw, &s.read}
	if s.grow != nil {
		s.grow.file = s.raw
		r = counted{s.grow, &s.read}
	}
	if hash && !s.regular {
		s.sum = newChecksum(r)
		r = s.sum
	}
	head, err := readHead(r)
	switch {
	case err != nil:
		return &fs.PathError{Op: "read", Path: s.name, Err: err}
	case isArchive(head) && s.regular:
		return errArchive
	case isArchive(head):
		return &fs.PathError{Op: "read", Path: s.name, Err: errArchiveFromPipe}
	}
	return s.recognize(nil, r, head)
}

// recognize sets up decompression and the format. head was read from r; m is the member of an archive that r reads, nil if it is a file. If the
// compressed data is damaged from its start, next reports that like any damage.
func (s *stream) recognize(m *member, r io.Reader, head []byte) (err error) {
	s.r, s.head = r, head
	var wrap string
	if m != nil {
		wrap = zipName
		if s.head, err = s.unwrap(wrap, nil); err != nil {
			s.broken = err
			return nil
		}
	}
	if inner := compression(s.head); inner != "" {
		wrap = inner
		if s.head, err = s.unwrap(wrap, s.head); err != nil {
			s.broken = err
			return nil
		}
	}
	s.tail = append(s.tail, s.head...)
	if s.form = pcapfile.New(s.head); s.form == nil {
		return &FormatError{File: s.name, Head: s.head, Wrap: wrap}
	}
	return nil
}

// unwrap puts a decompressor between head followed by s.r and the reader, and returns the first bytes that it decompresses.
func (s *stream) unwrap(name string, head []byte) ([]byte, error) {
	a, outer := decompress(name, head, s.r), s.stop
	s.r, s.stop = a, func() { outer(); a.stop() }
	return readHead(a)
}

// readHead reads four bytes, or all if there are fewer.
func readHead(r io.Reader) ([]byte, error) {
	b := make([]byte, 4)
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return b[:n], err
}

// firstTime reads ahead until the first packet and returns its time, the largest value if there is none. What was read
// stays in tail.
func (s *stream) firstTime() int64 {
	probe, at := pcapfile.New(s.head), 0
	for s.broken == nil {
		frames, used, _, err := probe.Parse(s.tail[at:], nil, 0, 1)
		if len(frames) > 0 {
			return frames[0].Time
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

// more reads at least one byte, or sets readErr.
func (s *stream) more(p []byte) (n int) {
	for range emptyReads {
		if n, s.readErr = s.r.Read(p); n > 0 || s.readErr != nil {
			return n
		}
	}
	s.readErr = io.ErrNoProgress
	return 0
}

// next fills b with the next frames. Without frames it returns io.EOF or the damage.
func (s *stream) next(b *Batch, size int, last int64) error {
	if s.broken != nil {
		return s.broken
	}
	had := len(b.Data)
	b.Data = room(b.Data, s.fit(size), len(s.tail))
	n := copy(b.Data, s.tail)
	for {
		frames, used, need, err := s.form.Parse(b.Data[:n], b.Frames, last, math.MaxInt)
		b.Frames = frames
		s.off += int64(used)
		s.broken = err
		if len(b.Frames) > 0 {
			b.More = n == len(b.Data) // a pipe that is empty returns less
			s.hand(b, used, n, had)
			return nil
		}
		n = copy(b.Data, b.Data[used:n])
		switch {
		case err != nil:
			return err
		case s.readErr == io.EOF && n > 0:
			return fmt.Errorf("the file ends within a record: it has %d of %d bytes", n, need)
		case s.readErr != nil:
			return s.readErr
		}
		if n == len(b.Data) {
			b.Data = append(b.Data, make([]byte, min(max(need-n, 1), n))...)
		}
		n += s.more(b.Data[n:])
	}
}

// fit returns the size of the next batch: at most size bytes, and fewer if frames are so small that there would be many more than
// batchFrames.
func (s *stream) fit(size int) int {
	if s.mean == 0 {
		return size
	}
	return min(size, max(size/16, s.mean*batchFrames))
}

// hand completes a batch and keeps the bytes after its last record in tail. What the buffers held before is overwritten, also where less was
// read than the last time: it may be a password. had is how much b held.
func (s *stream) hand(b *Batch, used, n, had int) {
	if whole := b.Data[:cap(b.Data)]; n < had && had <= len(whole) {
		clear(whole[n:had])
	}
	before := len(s.tail)
	s.tail = append(s.tail[:0], b.Data[used:n]...)
	if n := len(s.tail); n < before {
		clear(s.tail[n:before])
	}
	b.Data = b.Data[:n]
	if s.packets == 0 {
		s.first = b.Frames[0].Time
	}
	s.last = b.Frames[len(b.Frames)-1].Time
	s.packets += uint64(len(b.Frames))
	s.mean = used / len(b.Frames)
	s.given = 0
	for i := range b.Frames {
		s.given += uint64(b.Frames[i].Len)
	}
}

// room returns a buffer of at least size and have bytes. A buffer that grew for one large frame is not kept, or every batch would become as
// large, and is overwritten.
func room(b []byte, size, have int) []byte {
	want := max(size, have)
	if cap(b) < want || cap(b) > max(keepFactor*size, want) {
		clear(b)
		return make([]byte, want)
	}
	return b[:want]
}

// close may be called twice, and during a read.
func (s *stream) close() {
	s.stop()
	_ = s.raw.Close() // it was only read
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
