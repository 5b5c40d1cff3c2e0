// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Stdout is the file name that means standard output.
const Stdout = "-"

// bufferSize is the number of bytes that are buffered before they are written.
const bufferSize = 256 << 10

// file is the part of *os.File that JSONLines needs.
type file interface {
	io.WriteCloser
	Truncate(size int64) error
}

// JSONLines writes records to a file, one on each line. Writes are buffered and end with a whole record. If a write fails midway, the partial
// line is removed from a regular file, so the file can always be parsed.
type JSONLines struct {
	name    string
	f       file
	os      *os.File // the same file, for Stat and Name
	eager   bool     // not a regular file: write every record at once
	trunc   bool     // a regular file: a partial line can be removed
	keep    bool     // do not close it
	append  bool     // keep the existing records
	created bool     // the file did not exist before

	buf   []byte
	heads uint64 // lines at the start of buf that are no records
	held  uint64 // records in buf
	whole int64  // bytes of whole records in the file
	done  uint64 // records written
	err   error
}

// IsStdout reports whether a file name means standard output. The names of the system for it count too: opening one of them would open the
// file that standard output is redirected to a second time, at its start.
func IsStdout(name string) bool {
	switch name {
	case Stdout, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return true
	}
	return false
}

// Create opens a file for records and empties it. The error is a *fs.PathError.
func Create(name string) (*JSONLines, error) {
	s, err := Open(name)
	if err != nil {
		return nil, err
	}
	return s, s.Empty()
}

// Open opens a file for records and leaves its content, so that it can be compared with other files before it is truncated. The caller must
// call Empty or Discard. The error is a *fs.PathError.
func Open(name string) (*JSONLines, error) { return open(name, 0) }

// Append is Open for a file whose records are kept: Empty keeps them, and new records follow. A partial line at the end, left by a killed run,
// is terminated, so that the next record starts on its own line.
func Append(name string) (*JSONLines, error) {
	s, err := open(name, os.O_APPEND)
	if err != nil || !s.trunc {
		return s, err
	}
	s.append = true
	info, err := s.os.Stat()
	if err == nil {
		s.whole = info.Size()
		err = s.endLine()
	}
	if err != nil {
		s.Discard()
		return nil, err
	}
	return s, nil
}

// endLine adds a newline if the last line of the file has none.
func (s *JSONLines) endLine() error {
	r, err := os.Open(s.os.Name())
	if err != nil || s.whole == 0 {
		return nil // a file that cannot be read cannot be checked
	}
	defer func() { _ = r.Close() }() // nothing was written
	last := []byte{'\n'}
	if _, err := r.ReadAt(last, s.whole-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		s.buf = append(s.buf, '\n')
	}
	return nil
}

// New opens a file that must not exist yet. The error is a *fs.PathError, fs.ErrExist if the file exists.
func New(name string) (*JSONLines, error) {
	f, err := os.OpenFile(filepath.Clean(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &JSONLines{name: name, f: f, os: f, created: true, trunc: true}, nil
}

func open(name string, flag int) (*JSONLines, error) {
	if IsStdout(name) {
		return &JSONLines{name: "standard output", f: os.Stdout, os: os.Stdout, keep: true, eager: !regular(os.Stdout)}, nil
	}
	clean := filepath.Clean(name)
	f, err := os.OpenFile(clean, flag|os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	created := err == nil
	if errors.Is(err, fs.ErrExist) {
		// O_CREATE follows a link to a file that does not exist yet.
		f, err = os.OpenFile(clean, flag|os.O_WRONLY|os.O_CREATE, 0o644)
	}
	if err != nil {
		return nil, err
	}
	plain := regular(f)
	return &JSONLines{name: name, f: f, os: f, created: created, eager: !plain, trunc: plain}, nil
}

// Stat returns the file information.
func (s *JSONLines) Stat() (os.FileInfo, error) { return s.os.Stat() }

// Empty truncates a regular file, unless it was opened with Append.
func (s *JSONLines) Empty() error {
	if !s.trunc || s.append {
		return nil
	}
	return s.f.Truncate(0)
}

// Discard closes a file to which nothing was written, and removes it if Open created it.
func (s *JSONLines) Discard() {
	if s.keep {
		return
	}
	_ = s.os.Close() // nothing was written
	if s.created {
		_ = os.Remove(s.os.Name())
	}
}

func regular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// Head writes lines that are no records, such as the names of columns. They are not counted.
func (s *JSONLines) Head(lines []byte) error {
	if err := s.Flush(); err != nil {
		return err
	}
	s.buf = append(s.buf, lines...)
	s.heads = uint64(bytes.Count(lines, []byte{'\n'}))
	if s.eager {
		return s.Flush()
	}
	return nil
}

// Unused reports whether nothing was written.
func (s *JSONLines) Unused() bool { return s.err == nil && s.whole == 0 && len(s.buf) == 0 }

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
	s.buf, s.held, s.heads = s.buf[:0], 0, 0
	return nil
}

// fail stores the first error. part is the part of the buffer that was written.
func (s *JSONLines) fail(part []byte, err error) error {
	lines := uint64(bytes.Count(part, []byte{'\n'}))
	s.done += lines - min(lines, s.heads)
	end := bytes.LastIndexByte(part, '\n') + 1
	cut := end < len(part)
	if cut && s.trunc && s.f.Truncate(s.whole+int64(end)) == nil {
		cut = false
	}
	s.whole += int64(end)
	s.buf, s.held = nil, 0
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err // WriteError has the name
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

// Records returns the number of records written so far, without buffered ones.
func (s *JSONLines) Records() uint64 { return s.done }
