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

func TestJSONLinesWritesWhatItWasGiven(t *testing.T) {
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

func TestPipeGetsEachRecordAtOnce(t *testing.T) {
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

func TestCreateSaysWhatIsWrong(t *testing.T) {
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
	err := &WriteError{Name: "alerts.jsonl", Records: 12, Err: syscall.ENOSPC}
	if got, want := err.Error(), "cannot write alerts.jsonl: no space left on device; it holds 12 records, each of them whole"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCloseErrorIsTold(t *testing.T) {
	s := &JSONLines{name: "out", f: &full{room: 100, closes: syscall.EIO}}
	if err := s.Put([]byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("gave %v, want the error of close", err)
	}
}
