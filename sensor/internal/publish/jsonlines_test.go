// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"stillwatch/internal/testneed"
)

var _ Sink = (*JSONLines)(nil)

func TestJSONLinesWritesRecords(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out.jsonl")
	if err := os.WriteFile(name, []byte("old and longer than the first line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Create(name)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	for i := range 20000 { // more than one buffer
		line := fmt.Appendf(nil, "{\"n\":%d,\"pad\":%q}\n", i, strings.Repeat("x", i%50))
		want.Write(line)
		if err := s.Put(line); err != nil {
			t.Fatal(err)
		}
		clear(line) // the sink must not have kept it
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) || s.Records() != 20000 {
		t.Errorf("%d bytes, %d records, want %d bytes, 20000 records", len(got), s.Records(), want.Len())
	}
}

func TestPipeReceivesEachRecordAtOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		testneed.Missing(t, "fifo", "no FIFO here: %v", err)
	}
	r, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s, err := Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, line := range []string{"{\"a\":1}\n", "{\"a\":2}\n"} {
		if err := s.Put([]byte(line)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 64)
		n, err := r.Read(got)
		if err != nil || string(got[:n]) != line {
			t.Fatalf("read %q, %v, want %q", got[:n], err, line)
		}
	}
}

func TestCreateErrors(t *testing.T) {
	var path *fs.PathError
	if _, err := Create(filepath.Join(t.TempDir(), "no", "such", "folder")); !errors.As(err, &path) {
		t.Errorf("gave %v, want a path error", err)
	}
}

// full is a file on a disk with room for so many bytes.
type full struct {
	data    []byte
	room    int
	noTrunc bool
	closes  error
}

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room-len(f.data))
	f.data = append(f.data, p[:n]...)
	if n < len(p) {
		return n, &os.PathError{Op: "write", Path: "out", Err: syscall.ENOSPC}
	}
	return n, nil
}
func (f *full) Truncate(n int64) error {
	if f.noTrunc {
		return syscall.EINVAL
	}
	f.data = f.data[:n]
	return nil
}
func (f *full) Close() error { return f.closes }

func TestFullDisk(t *testing.T) {
	const line = "{\"record\":1}\n" // 13 bytes
	cases := []struct {
		name    string
		room    int
		trunc   bool
		noTrunc bool
		left    int // bytes in the file
		records uint64
		cut     bool
	}{
		{"on a record", 26, true, false, 26, 2, false},
		{"half a record is taken back", 30, true, false, 26, 2, false},
		{"half the first record is taken back", 5, true, false, 0, 0, false},
		{"a pipe keeps the half line", 30, false, false, 30, 2, true},
		{"the half line cannot be taken back", 30, true, true, 30, 2, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := &full{room: c.room, noTrunc: c.noTrunc}
			s := &JSONLines{name: "out", f: f, trunc: c.trunc}
			for range 4 {
				if err := s.Put([]byte(line)); err != nil {
					t.Fatal(err)
				}
			}
			err := s.Flush()
			var w *WriteError
			if !errors.As(err, &w) || !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("gave %v, want a WriteError for a full disk", err)
			}
			if w.Records != c.records || w.Cut != c.cut || len(f.data) != c.left {
				t.Errorf("records %d, cut %v, %d bytes left; want %d, %v, %d", w.Records, w.Cut, len(f.data), c.records, c.cut, c.left)
			}
			f.room = 1000 // room again, but the gap must not be papered over
			if again := s.Put([]byte(line)); again != err {
				t.Errorf("the next record gave %v, want the first error", again)
			}
			if again := s.Close(); again != err {
				t.Errorf("closing gave %v, want the first error", again)
			}
		})
	}
}

func TestFullDiskMessage(t *testing.T) {
	cases := []struct {
		records uint64
		cut     bool
		want    string
	}{
		{12, false, "12 records were written, each of them whole"},
		{12, true, "12 records were written whole, and the next is cut"},
		{1, false, "1 record was written, and it is whole"},
		{1, true, "1 record was written whole, and the next is cut"},
		{0, false, "no record was written"},
		{0, true, "no record was written whole, and the first is cut"},
	}
	for _, c := range cases {
		err := &WriteError{Name: "alerts.jsonl", Records: c.records, Cut: c.cut, Err: syscall.ENOSPC}
		if got, want := err.Error(), "cannot write alerts.jsonl: no space left on device; "+c.want; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestOpenKeepsTheContent(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "fresh")
	if err := os.WriteFile(old, []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{old, fresh} {
		s, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Stat()
		if err != nil || info.Name() != filepath.Base(name) {
			t.Errorf("it is %v, %v", info, err)
		}
		s.Discard()
	}
	if text, err := os.ReadFile(old); err != nil || string(text) != "kept\n" {
		t.Errorf("it holds %q, %v", text, err)
	}
	if _, err := os.Stat(fresh); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was not there is there: %v", err)
	}
	s, err := Open(old)
	if err == nil {
		err = errors.Join(s.Empty(), s.Close())
	}
	if text, e := os.ReadFile(old); err != nil || e != nil || len(text) != 0 {
		t.Errorf("emptied, it holds %q (%v, %v)", text, err, e)
	}
}

func TestCreateThroughADanglingLink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "target"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s, err := Create(filepath.Join(dir, "link"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Put([]byte("{}\n")), s.Close()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "target")); err != nil || string(text) != "{}\n" {
		t.Errorf("it holds %q, %v", text, err)
	}
}

func TestNamesOfStandardOutput(t *testing.T) {
	for name, want := range map[string]bool{"-": true, "/dev/stdout": true, "/dev/fd/1": true, "/proc/self/fd/1": true, "stdout": false, "/dev/stderr": false} {
		if got := IsStdout(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCloseErrorIsReturned(t *testing.T) {
	s := &JSONLines{name: "out", f: &full{room: 100, closes: syscall.EIO}}
	if err := s.Put([]byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("gave %v, want the error of close", err)
	}
}

// TestAppendKeepsTheContent appends to a file, also to one whose last line is incomplete.
func TestAppendKeepsTheContent(t *testing.T) {
	for before, want := range map[string]string{"": "new\n", "old\n": "old\nnew\n", "old\nha": "old\nha\nnew\n"} {
		name := filepath.Join(t.TempDir(), "out.jsonl")
		if before != "" {
			if err := os.WriteFile(name, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Append(name)
		if err == nil {
			err = errors.Join(s.Empty(), s.Put([]byte("new\n")), s.Flush())
		}
		if err != nil || s.Records() != 1 {
			t.Fatalf("%v, %d records", err, s.Records())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}
