// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Stdout is the file name that means standard output.
const Stdout = "-"

// bufferSize is how many bytes of records are gathered before they are written.
const bufferSize = 256 << 10

// file is what is needed of an *os.File.
type file interface {
	io.WriteCloser
	Truncate(size int64) error
}

// JSONLines writes records to a file, one a line. Writes are buffered and end on a record; when one fails half-way, the
// half line is taken back from a regular file, so what is there can always be read.
type JSONLines struct {
	name  string
	f     file
	eager bool // a reader waits: pass every record on at once
	trunc bool // a regular file that starts at our first byte: a half line can be taken back
	keep  bool // not ours to close

	buf   []byte
	held  uint64 // records in buf
	whole int64  // bytes written that are whole records
	done  uint64 // records written
	err   error
}

// Create opens a file for records and empties it; Stdout means standard output. The error is a *fs.PathError.
func Create(name string) (*JSONLines, error) {
	if name == Stdout {
		return &JSONLines{name: "standard output", f: os.Stdout, keep: true, eager: !regular(os.Stdout)}, nil
	}
	f, err := os.OpenFile(filepath.Clean(name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	plain := regular(f)
	return &JSONLines{name: name, f: f, eager: !plain, trunc: plain}, nil
}

func regular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// Put implements Sink.
func (s *JSONLines) Put(line []byte) error {
	if s.err != nil {
		return s.err
	}
	s.buf = append(s.buf, line...)
	s.held++
	if s.eager || len(s.buf) >= bufferSize {
		return s.Flush()
	}
	return nil
}

// Flush implements Sink.
func (s *JSONLines) Flush() error {
	if s.err != nil || len(s.buf) == 0 {
		return s.err
	}
	n, err := s.f.Write(s.buf)
	if err != nil {
		return s.fail(s.buf[:n], err)
	}
	s.whole += int64(n)
	s.done += s.held
	s.buf, s.held = s.buf[:0], 0
	return nil
}

// fail keeps the first error. part is what was still written of the buffer.
func (s *JSONLines) fail(part []byte, err error) error {
	s.done += uint64(bytes.Count(part, []byte{'\n'}))
	end := bytes.LastIndexByte(part, '\n') + 1
	cut := end < len(part)
	if cut && s.trunc && s.f.Truncate(s.whole+int64(end)) == nil {
		cut = false
	}
	s.whole += int64(end)
	s.buf, s.held = nil, 0
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err // the name is said already
	}
	s.err = &WriteError{Name: s.name, Records: s.done, Cut: cut, Err: err}
	return s.err
}

// Close implements Sink.
func (s *JSONLines) Close() error {
	err := s.Flush()
	if s.f == nil || s.keep {
		return err
	}
	f := s.f
	s.f = nil
	if e := f.Close(); e != nil && err == nil {
		err = s.fail(nil, e)
	}
	return err
}

// Records tells how many records were written so far, without those still held back.
func (s *JSONLines) Records() uint64 { return s.done }
