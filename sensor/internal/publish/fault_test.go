// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestRecordsBeingWrittenAreNotSkipped drains and writes at once on a disk that is full again and again.
func TestRecordsBeingWrittenAreNotSkipped(t *testing.T) {
	var full atomic.Bool
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{SegmentBytes: 32 << 10, write: func(f *os.File, at int64, all []entry) (int64, time.Duration, error) {
		time.Sleep(100 * time.Microsecond)
		if full.Load() {
			_, _ = f.WriteAt(all[0].data[:10], at)
			return 0, 0, syscall.ENOSPC
		}
		return write(f, at, all)
	}})
	const n = 40_000
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	go func() {
		for ctx.Err() == nil {
			full.Store(!full.Load())
			time.Sleep(3 * time.Millisecond)
		}
	}()
	go func() {
		for i := range n {
			if _, err := s.Append(Record{Rank: RankCritical, Value: []byte(fmt.Sprint(i))}); err != nil {
				t.Error(err)
			}
			if i%20 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	for at := uint64(0); at < n; {
		all := s.Next(ctx, 100)
		if all == nil {
			t.Fatalf("nothing comes after %d records: %+v", at, s.Stats())
		}
		for _, r := range all {
			if r.Index != at {
				t.Fatalf("record %d comes instead of %d", r.Index, at)
			}
			at++
		}
		time.Sleep(300 * time.Microsecond)
		s.Ack(at, len(all))
	}
	if st := s.Stats(); st.Records != 0 || st.Acked != n || st.DroppedTotal() > 0 || st.Faults == 0 {
		t.Errorf("at the end: %+v", st)
	}
}

// TestRecordsBeingWrittenComeBeforePendingOnes holds a write while the fault of the one before is shown.
func TestRecordsBeingWrittenComeBeforePendingOnes(t *testing.T) {
	calls, begun, release := 0, make(chan bool), make(chan bool)
	s := openSpool(t, t.TempDir(), SpoolOptions{write: func(f *os.File, at int64, all []entry) (int64, time.Duration, error) {
		if calls++; calls == 1 {
			return 0, 0, syscall.ENOSPC
		}
		if calls == 2 {
			close(begun)
			<-release
		}
		return write(f, at, all)
	}})
	put(t, s, RankHigh, "first")
	<-begun
	put(t, s, RankHigh, "second")
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if got := s.Next(ctx, 10); got != nil {
		t.Errorf("%d records are handed out past what is being written, the first %q", len(got), got[0].Value)
	}
	close(release)
	waitFor(t, "both to be written", func() bool { return s.Stats().Appended == 2 })
	same(t, drain(t, s), []string{"first", "second"})
}

// failing is a segment whose reads fail.
type failing struct {
	segmentFile
	err *atomic.Pointer[error]
}

func (f failing) ReadAt(b []byte, at int64) (int, error) {
	if e := f.err.Load(); e != nil {
		return 0, *e
	}
	return f.segmentFile.ReadAt(b, at)
}

func TestTemporaryReadErrorLosesNothing(t *testing.T) {
	for _, where := range []string{"open", "read"} {
		t.Run(where, func(t *testing.T) {
			var opens, reads atomic.Pointer[error]
			s := openSpool(t, t.TempDir(), SpoolOptions{SegmentBytes: 8 << 10, open: func(path string) (segmentFile, error) {
				if e := opens.Load(); e != nil {
					return nil, *e
				}
				f, err := os.Open(path)
				return failing{f, &reads}, err
			}})
			want := numbered(300)
			for _, v := range want {
				put(t, s, RankHigh, v)
			}
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
			passing := error(syscall.EMFILE)
			if where == "open" {
				opens.Store(&passing)
			} else {
				reads.Store(&passing)
			}
			ctx, stop := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer stop()
			if got := s.Next(ctx, 10); got != nil {
				t.Fatalf("%d records come although nothing can be read", len(got))
			}
			if st := s.Stats(); st.Fault == nil || st.Records != 300 || st.Damaged != 0 {
				t.Errorf("the fault is not shown, or the segment is given up: %+v", st)
			}
			opens.Store(nil)
			reads.Store(nil)
			same(t, drain(t, s), want)
			if st := s.Stats(); st.Fault != nil {
				t.Errorf("still shown: %v", st.Fault)
			}
		})
	}
}

// TestDamageAfterWritingIsCounted takes records away that the spool counts on.
func TestDamageAfterWritingIsCounted(t *testing.T) {
	for name, change := range map[string]func(string) error{
		"gone":  os.Remove,
		"cut":   func(path string) error { return os.Truncate(path, 0) },
		"wrong": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 1<<16), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openSpool(t, dir, SpoolOptions{SegmentBytes: 1})
			for _, v := range []string{"first", "second", "third"} {
				put(t, s, RankHigh, v)
				if err := s.Sync(); err != nil {
					t.Fatal(err)
				}
			}
			if err := change(files(t, dir)[1]); err != nil {
				t.Fatal(err)
			}
			var got []string
			for len(got) < 2 {
				for _, r := range s.Next(t.Context(), 10) {
					got = append(got, string(r.Value))
				}
			}
			same(t, got, []string{"first", "third"})
			s.Ack(3, 2)
			if st := s.Stats(); st.Records != 0 || st.Damaged != 1 || st.Fault != nil {
				t.Errorf("%+v, want no records and one damaged place", st)
			}
		})
	}
}

// TestDamageBeforeALargeRecord has more damage and a larger record than are read at once.
func TestDamageBeforeALargeRecord(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{SegmentBytes: 64 << 20, MemoryBytes: 64 << 20})
	for range 2 {
		put(t, s, RankHigh, string(bytes.Repeat([]byte("x"), 7<<20)))
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(files(t, dir)[0], os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt([]byte("damage"), 100)
		_ = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Next(t.Context(), 10); len(got) != 1 || got[0].Index != 1 {
		t.Errorf("%d records, want the one behind the damage", len(got))
	}
}

func TestNewFoldersAreSynced(t *testing.T) {
	dir := t.TempDir()
	var synced []string
	sync := func(d string) error { synced = append(synced, d); return syncDir(d) }
	if err := makeDir(filepath.Join(dir, "a", "b"), sync); err != nil {
		t.Fatal(err)
	}
	if want := []string{dir, filepath.Join(dir, "a")}; !slices.Equal(synced, want) {
		t.Errorf("synced %v, want %v", synced, want)
	}
}
