// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"stillwatch/internal/panics"
)

const (
	gzipName = "gzip"
	zstdName = "zstd"
	// maxWindow is the largest accepted zstd window in bytes: that of `zstd --long`, which the tool accepts by default. A file could
	// otherwise make the reader allocate any amount.
	maxWindow = 128 << 20
	// aheadChunks of aheadSize bytes are decompressed ahead of the reader.
	aheadChunks = 4
	aheadSize   = 256 << 10
)

// compression returns the compression of a file that starts with head, "" if it has none (RFC 1952 section 2.3.1, RFC 8878 section 3.1; a zstd
// file may start with a skippable frame).
func compression(head []byte) string {
	switch {
	case len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		return gzipName
	case len(head) < 4:
		return ""
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstdName
	case head[0]&0xf0 == 0x50 && bytes.Equal(head[1:], []byte{0x2a, 0x4d, 0x18}):
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
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "unexpected end"
	}
	return err.Error()
}

func newDecoder(name string, r io.Reader) (io.Reader, func(), error) {
	if name == gzipName {
		d, err := gzip.NewReader(r) // continues with the next member
		return d, func() {}, err
	}
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, func() {}, err
	}
	return d, d.Close, nil
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
