// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTornAtEveryByte cuts the last segment at each of its bytes: what is whole before the cut comes, and the spool goes on.
func TestTornAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{})
	for _, v := range []string{"first", "second", "third"} {
		put(t, s, RankHigh, v)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name, whole := files(t, dir)[0], slurp(t, files(t, dir)[0])
	var ends []int
	scan(whole, func(_ *Record, at, n int) bool { ends = append(ends, at+n); return true })
	if len(ends) != 3 {
		t.Fatalf("records end at %v", ends)
	}
	for cut := range whole {
		spill(t, name, whole[:cut])
		want := []string{"first", "second", "third"}[:len(slices.DeleteFunc(slices.Clone(ends), func(e int) bool { return e > cut }))]
		s, err := OpenSpool(dir, SpoolOptions{})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		put(t, s, RankHigh, "after")
		same(t, drain(t, s), append(slices.Clone(want), "after"))
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = OpenSpool(dir, SpoolOptions{})
		if err != nil {
			t.Fatalf("cut at %d, opened again: %v", cut, err)
		}
		same(t, drain(t, s), append(slices.Clone(want), "after"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, f := range files(t, dir) {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// failures are ways in which a write may fail, with what they leave behind.
func failures() map[string]func(f *os.File, at int64, all []entry) error {
	return map[string]func(f *os.File, at int64, all []entry) error{
		"nothing is written": func(*os.File, int64, []entry) error { return syscall.ENOSPC },
		"half a record is written": func(f *os.File, at int64, all []entry) error {
			_, _ = f.WriteAt(all[0].data[:len(all[0].data)/2], at)
			return syscall.ENOSPC
		},
		"all is written and not synced": func(f *os.File, at int64, all []entry) error {
			_, _, _ = write(f, at, all)
			return syscall.EIO
		},
		"all is written and cannot be taken back": func(f *os.File, at int64, all []entry) error {
			_, _, _ = write(f, at, all)
			_ = f.Close() // so that it cannot be cut
			return syscall.EIO
		},
		"half is written and cannot be taken back": func(f *os.File, at int64, all []entry) error {
			_, _ = f.WriteAt(all[0].data[:len(all[0].data)/2], at)
			_ = f.Close()
			return syscall.EROFS
		},
	}
}

// TestFailureAtEveryWrite lets one write fail, each in turn and in each way: everything comes once and in order, in this run and, if it
// was not acknowledged, in the next.
func TestFailureAtEveryWrite(t *testing.T) {
	const writes = 12
	for name, fail := range failures() {
		t.Run(name, func(t *testing.T) {
			for bad := range writes {
				calls := 0
				dir := t.TempDir()
				o := SpoolOptions{SegmentBytes: 1 << 10, write: func(f *os.File, at int64, all []entry) (int64, time.Duration, error) {
					if calls++; calls == bad+1 {
						return 0, 0, fail(f, at, all)
					}
					return write(f, at, all)
				}}
				s := openSpool(t, dir, o)
				want := numbered(3 * writes)
				for i, v := range want {
					put(t, s, RankHigh, v)
					if i%3 == 2 {
						for s.Sync() != nil { // until it has passed
							time.Sleep(time.Millisecond)
						}
					}
				}
				same(t, drain(t, s), want)
				if st := s.Stats(); st.Faults != 1 || st.Fault != nil || st.Appended != 3*writes || st.DroppedTotal() > 0 || st.Damaged > 0 {
					t.Errorf("write %d: %+v", bad, st)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				again := openSpool(t, dir, SpoolOptions{})
				if st := again.Stats(); st.Recovered != 3*writes {
					t.Errorf("write %d: %d records are left, want %d", bad, st.Recovered, 3*writes)
				}
				same(t, drain(t, again), want)
				again.Ack(3*writes, 3*writes)
				if st := again.Stats(); st.Records != 0 || len(files(t, dir)) > 1 {
					t.Errorf("write %d: all was acknowledged: %+v, %v", bad, st, files(t, dir))
				}
			}
		})
	}
}

// killMoment is how a folder looked when the process might have been killed.
type killMoment struct {
	dir           string
	raised, acked uint64 // what was certain just before
}

// TestKilledAtEveryPoint keeps the folder as it is before, within and behind every write and every acknowledgement, and opens each of
// these: what was raised and not acknowledged is there, in order, and nothing that was never put in.
func TestKilledAtEveryPoint(t *testing.T) {
	dir, kept := t.TempDir(), t.TempDir()
	var moments []killMoment
	var raised, acked uint64
	keep := func() {
		to := filepath.Join(kept, fmt.Sprint(len(moments)))
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
		moments = append(moments, killMoment{to, raised, acked})
	}
	s := openSpool(t, dir, SpoolOptions{SegmentBytes: 600, write: func(f *os.File, at int64, all []entry) (int64, time.Duration, error) {
		keep()
		for _, e := range all {
			for _, part := range [][]byte{e.data[:5], e.data[:len(e.data)-1]} {
				_, _ = f.WriteAt(part, at)
				keep()
			}
		}
		n, took, err := write(f, at, all)
		keep()
		return n, took, err
	}})
	const n = 40
	random := rand.New(rand.NewPCG(3, 4))
	for i := range uint64(n) {
		put(t, s, RankHigh, fmt.Sprintf("%d %s", i, strings.Repeat("x", random.IntN(150))))
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		raised = i + 1
		keep()
		if i%4 == 3 {
			got := s.Next(t.Context(), 3)
			acked = got[len(got)-1].Index + 1
			s.Ack(acked, len(got))
			keep()
		}
	}
	for i, m := range moments {
		s, err := OpenSpool(m.dir, SpoolOptions{})
		if err != nil {
			t.Fatalf("point %d: %v", i, err)
		}
		got := drain(t, s)
		for k, v := range got {
			if want := fmt.Sprint(first(got) + uint64(k)); !strings.HasPrefix(v, want+" ") {
				t.Fatalf("point %d: %.10q comes as number %d, want %s", i, v, k, want)
			}
		}
		if end := first(got) + uint64(len(got)); len(got) > 0 && (first(got) > m.acked || end < m.raised) || len(got) == 0 && m.raised > m.acked {
			t.Errorf("point %d: %d records from %d, with %d raised and %d acknowledged", i, len(got), first(got), m.raised, m.acked)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d points", len(moments))
}

func first(values []string) (n uint64) {
	if len(values) > 0 {
		_, _ = fmt.Sscan(values[0], &n)
	}
	return n
}

// TestDamagedRecordsDoNotBlockAfterCompaction damages a record of a segment that is then rewritten without others.
func TestDamagedRecordsDoNotBlockAfterCompaction(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{MaxBytes: 64 << 10})
	pad := strings.Repeat("x", 900)
	for i := range 6 {
		put(t, s, []Rank{RankSession, RankHigh}[i%2], fmt.Sprint(i, pad))
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	name := files(t, dir)[0]
	b := slurp(t, name)
	b[len(b)-200] ^= 1
	spill(t, name, b)
	for i := range 64 {
		put(t, s, RankHigh, fmt.Sprint(i, pad))
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	arrived := 0
	for s.Stats().Records > 0 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		got := s.Next(ctx, 100)
		cancel()
		if got == nil {
			break
		}
		arrived += len(got)
		s.Ack(got[len(got)-1].Index+1, len(got))
	}
	if st := s.Stats(); st.Records != 0 || st.Damaged != 1 || st.DroppedTotal() == 0 || arrived+1+int(st.DroppedTotal()) != 70 {
		t.Errorf("%d arrived: %+v", arrived, st)
	}
}

// TestRecordSentFromMemoryIsCountedOnce hands records out while the disk takes nothing, and lets others crowd them out.
func TestRecordSentFromMemoryIsCountedOnce(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{MemoryBytes: 32 << 10, write: func(*os.File, int64, []entry) (int64, time.Duration, error) { return 0, 0, syscall.ENOSPC }})
	put(t, s, RankLow, "first")
	waitFor(t, "the fault", func() bool { return s.Stats().Fault != nil })
	for range 9 {
		put(t, s, RankLow, strings.Repeat("x", 1000))
	}
	sent := drain(t, s)
	for range 60 {
		put(t, s, RankCritical, strings.Repeat("x", 1000))
	}
	var all []uint64
	for i := range sent {
		all = append(all, uint64(i))
	}
	s.ackSome(all)
	st := s.Stats()
	if dropped := st.Dropped[RankCritical]; len(sent) != 10 || st.Dropped[RankLow] > 0 || dropped == 0 || st.Records != 60-dropped || st.Acked != 10 {
		t.Errorf("%d sent: %+v", len(sent), st)
	}
}

// TestRecordLargerThanTheSpool waits for nothing that cannot come.
func TestRecordLargerThanTheSpool(t *testing.T) {
	for _, patience := range []time.Duration{0, 20 * time.Second} {
		s := openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 64 << 10, Patience: patience})
		put(t, s, RankHigh, strings.Repeat("x", 100<<10))
		if err := s.Sync(); err != nil || s.Stats().DroppedTotal() > 0 {
			t.Errorf("%v, %+v", err, s.Stats())
		}
		if got := s.Next(t.Context(), 10); len(got) != 1 {
			t.Errorf("%d records", len(got))
		}
	}
}

func TestIntervals(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var s intervals
		want, below := map[uint64]bool{}, uint64(0)
		for range 100 {
			if i := uint64(random.IntN(40)); i >= below {
				s.add(i)
				want[i] = true
			}
			if random.IntN(20) == 0 {
				below = uint64(random.IntN(40))
				s.drop(below)
			}
			for i := range uint64(42) {
				if s.has(i) != (want[i] && i >= below) {
					t.Fatalf("%v: %d, from %d", s, i, below)
				}
				if i < below {
					delete(want, i)
				}
			}
			for k := 1; k < len(s); k++ {
				if s[k-1].last+1 >= s[k].first {
					t.Fatalf("%v is not the shortest", s)
				}
			}
		}
	}
}

// TestDeadLetterFileThatCannotBeWritten keeps a rejected record until the dead-letter file can be written.
func TestDeadLetterFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{})
	d, err := NewDrain(s, KafkaConfig{Brokers: []string{"127.0.0.1:1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	side := filepath.Join(dir, "dead-letter.jsonl")
	if err := os.Mkdir(side, 0o700); err != nil {
		t.Fatal(err)
	}
	r := Record{Rank: RankHigh, Topic: "t", Key: "k", Value: []byte("v")}
	if err := d.reject(&r, CauseTooLarge, "too large"); err == nil || d.Stats().Rejected != 0 || s.Stats().DroppedTotal() != 0 {
		t.Errorf("%v, %+v: it counts as kept or as given up", err, d.Stats())
	}
	if err := os.Remove(side); err != nil {
		t.Fatal(err)
	}
	if err := d.reject(&r, CauseTooLarge, "too large"); err != nil || d.Stats().Rejected != 1 || !strings.Contains(string(slurp(t, side)), "too large") {
		t.Errorf("%v, %+v", err, d.Stats())
	}
}
