// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
	"github.com/pierrec/lz4/v4"

	"stillwatch/internal/panics"
)

const (
	gzipName  = "gzip"
	zstdName  = "zstd"
	xzName    = "xz"
	bzip2Name = "bzip2"
	lz4Name   = "lz4"
	zipName   = "zip"
	// maxWindow is the largest accepted zstd window in bytes: that of `zstd --long`, which the tool accepts by default. A file could
	// otherwise make the reader allocate any amount.
	maxWindow = 128 << 20
	// maxDict is the largest accepted dictionary of xz in bytes, for the same reason: that of `xz -9`.
	maxDict = 64 << 20
	// aheadChunks of aheadSize bytes are decompressed ahead of the reader.
	aheadChunks = 4
	aheadSize   = 256 << 10
)

// compressions are the numbers that compressed files start with: RFC 1952 section 2.3.1, RFC 8878 section 3.1, and the specifications of xz
// (section 2.1.1.1), bzip2 and LZ4 (frames, and the legacy frames of old tools).
var compressions = []struct{ name, magic string }{
	{gzipName, "\x1f\x8b"},
	{zstdName, "\x28\xb5\x2f\xfd"},
	{xzName, "\xfd7zX"},
	{bzip2Name, "BZh"},
	{lz4Name, "\x04\x22\x4d\x18"},
	{lz4Name, "\x02\x21\x4c\x18"},
}

// compression returns the compression of a file that starts with head, "" if it has none. A zstd file may start with a skippable frame.
func compression(head []byte) string {
	for _, c := range compressions {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			return c.name
		}
	}
	if len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18" {
		return zstdName
	}
	return ""
}

// ahead decompresses in its own goroutine, in parallel to the processing of packets.
type ahead struct {
	full chan chunk
	free chan []byte
	quit chan struct{}
	once sync.Once
	cur  chunk
	rest []byte // of cur
}

type chunk struct {
	data []byte
	err  error // after data
}

// decompress starts the decompression of head followed by r.
func decompress(name string, head []byte, r io.Reader) *ahead {
	a := &ahead{full: make(chan chunk, aheadChunks), free: make(chan []byte, aheadChunks), quit: make(chan struct{})}
	for range aheadChunks {
		a.free <- nil
	}
	go a.run(name, io.MultiReader(bytes.NewReader(head), r))
	return a
}

func (a *ahead) run(name string, r io.Reader) {
	d, done, err := newGuarded(name, r)
	defer done()
	for {
		var buf []byte
		select {
		case buf = <-a.free:
		case <-a.quit:
			return
		}
		if buf == nil {
			buf = make([]byte, aheadSize)
		}
		n := 0
		if err == nil {
			// One read, not a full buffer: data from a pipe is passed on at once.
			n, err = readGuarded(d, buf)
		}
		c := chunk{data: buf[:n]}
		if err != nil && err != io.EOF {
			c.err = fmt.Errorf("damaged %s compression: %s", name, reasonOf(err))
		} else {
			c.err = err
		}
		select {
		case a.full <- c:
		case <-a.quit:
			return
		}
		if err != nil {
			return
		}
	}
}

// newGuarded returns a decoder, which reads the head of the file. See readGuarded.
func newGuarded(name string, r io.Reader) (d io.Reader, done func(), err error) {
	done = func() {}
	err = panics.ToError("decoder", func() (err error) {
		d, done, err = newDecoder(name, r)
		return err
	})
	return d, done, err
}

// readGuarded reads from a decoder. A mistake in it that hostile input triggers ends the file, and not the program.
func readGuarded(d io.Reader, buf []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			n, err = 0, fmt.Errorf("the decoder failed: %v", v)
		}
	}()
	return d.Read(buf)
}

// reasonOf returns the reason in words.
func reasonOf(err error) string {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, xz.ErrBuf) {
		return "unexpected end"
	}
	return err.Error()
}

func newDecoder(name string, r io.Reader) (d io.Reader, done func(), err error) {
	done = func() {}
	switch name {
	case gzipName:
		d, err = gzip.NewReader(r) // continues with the next member
	case zstdName:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow)); err == nil {
			d, done = z, z.Close
		}
	case xzName:
		d, err = xz.NewReader(full{r}, maxDict) // continues with the next stream
	case bzip2Name:
		d = bzip2.NewReader(r) // at most 900 kB a block
	case lz4Name:
		d = lz4.NewReader(r) // at most 8 MB a block
	case zipName:
		d = r // it decompresses already
	}
	return d, done, err
}

// full reads as much as is asked for. The decoder of xz does not return what precedes damage within the bytes that it has read, so what it returns
// would depend on how a pipe was written.
type full struct{ r io.Reader }

func (f full) Read(p []byte) (int, error) {
	n, err := io.ReadFull(f.r, p)
	if err == io.ErrUnexpectedEOF {
		err = nil // the next read returns io.EOF
	}
	return n, err
}

// Read returns what is there, and waits only if nothing is.
func (a *ahead) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(a.rest) == 0 {
			if a.cur.err != nil {
				break
			}
			if !a.turn(n == 0) {
				break
			}
		}
		m := copy(p[n:], a.rest)
		a.rest = a.rest[m:]
		n += m
	}
	if n == 0 && len(p) > 0 {
		return 0, a.cur.err
	}
	return n, nil
}

// turn takes the next chunk. Without wait it returns false if there is none yet.
func (a *ahead) turn(wait bool) bool {
	if a.cur.data != nil {
		a.free <- a.cur.data[:cap(a.cur.data)] // never blocks: there are only as many chunks as it holds
		a.cur.data = nil
	}
	select {
	case a.cur = <-a.full:
	default:
		if !wait {
			return false
		}
		select {
		case a.cur = <-a.full:
		case <-a.quit:
			a.cur = chunk{err: io.ErrClosedPipe}
		}
	}
	a.rest = a.cur.data
	return true
}

func (a *ahead) stop() { a.once.Do(func() { close(a.quit) }) }
