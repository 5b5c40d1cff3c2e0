// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openSpool(t *testing.T, dir string, o SpoolOptions) *Spool {
	t.Helper()
	s, err := OpenSpool(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func put(t *testing.T, s *Spool, rank Rank, value string) {
	t.Helper()
	if _, err := s.Append(Record{Rank: rank, Topic: "t", Key: "k", Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
}

// drain takes all that is there without waiting for more.
func drain(t *testing.T, s *Spool) (values []string) {
	t.Helper()
	for s.Stats().Records > uint64(len(values)) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		all := s.Next(ctx, 7)
		cancel()
		if all == nil {
			t.Fatalf("nothing comes after %d records: %+v", len(values), s.Stats())
		}
		for _, r := range all {
			values = append(values, string(r.Value))
		}
	}
	return values
}

func numbered(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("value %d %s", i, strings.Repeat("x", i%300)))
	}
	return all
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSpoolKeepsTheOrder(t *testing.T) {
	dir, want := t.TempDir(), numbered(500)
	s := openSpool(t, dir, SpoolOptions{SegmentBytes: 8 << 10})
	for i, v := range want {
		put(t, s, RankHigh, v)
		if i%50 == 0 {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	same(t, drain(t, s), want)
	if n := len(files(t, dir)); n < 3 {
		t.Errorf("%d segments, want several", n)
	}
	// Nothing was acknowledged: the next run gives all of it again.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, dir, SpoolOptions{SegmentBytes: 8 << 10})
	if st := s.Stats(); st.Recovered != 500 || st.Records != 500 || st.OldestAt == 0 {
		t.Errorf("recovered %+v", st)
	}
	same(t, drain(t, s), want)
	s.Ack(400, 400)
	if st := s.Stats(); st.Records != 100 || st.Acked != 400 {
		t.Errorf("after 400 of 500: %+v", st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSpool(t, dir, SpoolOptions{})
	put(t, s, RankLow, "new")
	same(t, drain(t, s), append(want[400:], "new"))
	s.Ack(501, 101)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("all was acknowledged, and %v are left", left)
	}
	s = openSpool(t, dir, SpoolOptions{})
	if i, err := s.Append(Record{}); err != nil || i != 501 {
		t.Errorf("the next index is %d, %v, want 501: an index must not come twice", i, err)
	}
}

func TestSpoolIsLocked(t *testing.T) {
	dir := t.TempDir()
	openSpool(t, dir, SpoolOptions{})
	if _, err := OpenSpool(dir, SpoolOptions{}); !errors.Is(err, ErrInUse) {
		t.Errorf("gave %v, want that it is in use", err)
	}
}

func TestBurstIsSyncedTogether(t *testing.T) {
	syncs := 0
	s := openSpool(t, t.TempDir(), SpoolOptions{Synced: func(float64) { syncs++ }})
	for range 5000 {
		put(t, s, RankHigh, strings.Repeat("x", 1000))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if syncs == 0 || syncs > 1000 {
		t.Errorf("%d syncs for 5000 records", syncs)
	}
}

// TestRecoveryAfterACrash cuts and damages the files of a spool.
func TestRecoveryAfterACrash(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(first, last []byte) ([]byte, []byte)
		lost    int // of 300 records
		damaged uint64
	}{
		{"nothing", func(a, b []byte) ([]byte, []byte) { return a, b }, 0, 0},
		{"torn tail", func(a, b []byte) ([]byte, []byte) { return a, b[:len(b)-1] }, 1, 0},
		{"zeros behind", func(a, b []byte) ([]byte, []byte) { return a, append(b, make([]byte, 4096)...) }, 0, 0},
		{"a wrong byte in the middle", func(a, b []byte) ([]byte, []byte) { a[len(a)/2] ^= 1; return a, b }, 1, 1},
		{"an earlier segment is cut", func(a, b []byte) ([]byte, []byte) { return a[:len(a)-1], b }, 1, 1},
		{"the last is empty", func(a, b []byte) ([]byte, []byte) { return a, nil }, -1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, want := t.TempDir(), numbered(300)
			s := openSpool(t, dir, SpoolOptions{SegmentBytes: 16 << 10})
			for i, v := range want {
				put(t, s, RankHigh, v)
				if i%20 == 0 {
					_ = s.Sync()
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			all := files(t, dir)
			a, b := slurp(t, all[0]), slurp(t, all[len(all)-1])
			a, b = c.change(a, b)
			spill(t, all[0], a)
			spill(t, all[len(all)-1], b)
			s = openSpool(t, dir, SpoolOptions{SegmentBytes: 16 << 10})
			put(t, s, RankHigh, "after")
			got := drain(t, s)
			st := s.Stats()
			if c.lost >= 0 && len(got) != 301-c.lost || got[len(got)-1] != "after" || st.Damaged != c.damaged {
				t.Errorf("%d records, the last %q, %d places damaged; want %d lost, %d places", len(got), got[len(got)-1], st.Damaged, c.lost, c.damaged)
			}
			known := map[string]bool{"after": true}
			for _, v := range want {
				known[v] = true
			}
			for _, v := range got {
				if !known[v] {
					t.Errorf("%q was never put in", v)
				}
			}
		})
	}
}

func slurp(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func spill(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedCursorSendsAgain(t *testing.T) {
	for _, text := range []string{"", "zz\n", "000000000000000a00000000\n"} {
		dir := t.TempDir()
		s := openSpool(t, dir, SpoolOptions{})
		put(t, s, RankHigh, "a")
		put(t, s, RankHigh, "b")
		drain(t, s)
		s.Ack(1, 1)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		spill(t, cursorFile(dir), []byte(text))
		same(t, drain(t, openSpool(t, dir, SpoolOptions{})), []string{"a", "b"})
	}
}

// TestFullSpoolDropsTheLeastSevere fills a small spool with records of rising and falling severity.
func TestFullSpoolDropsTheLeastSevere(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 64 << 10})
	pad := strings.Repeat("x", 900)
	ranks := []Rank{RankLow, RankCritical, RankSession, RankHigh, RankInformational, RankMedium}
	counts := map[Rank]uint64{}
	for i := range 120 { // about 120 kB into 64 kB
		r := ranks[i%len(ranks)]
		counts[r]++
		put(t, s, r, fmt.Sprintf("%s %d %s", r, i, pad))
		if i%10 == 0 {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		if b := s.Stats().Bytes; b > 64<<10 {
			t.Fatalf("%d bytes on disk", b)
		}
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	st := s.Stats()
	kept := map[string]uint64{}
	for _, v := range drain(t, s) {
		kept[strings.Fields(v)[0]]++
	}
	for r := range numRanks {
		if kept[r.String()]+st.Dropped[r] != counts[r] {
			t.Errorf("%s: %d kept, %d counted as dropped, of %d", r, kept[r.String()], st.Dropped[r], counts[r])
		}
	}
	if st.Dropped[RankSession] == 0 || st.Dropped[RankCritical]+st.Dropped[RankHigh] > 0 {
		t.Errorf("dropped by rank: %v", st.Dropped)
	}
}

func TestFullSpoolOfOneSeverityDropsTheOldest(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 64 << 10})
	for i := range 200 {
		put(t, s, RankHigh, fmt.Sprintf("%d %s", i, strings.Repeat("x", 900)))
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	got := drain(t, s)
	if len(got) < 30 || !strings.HasPrefix(got[len(got)-1], "199 ") {
		t.Errorf("%d records, the last %.5q", len(got), got[len(got)-1])
	}
}

func TestRecordsInFlightAreNotDropped(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{MaxBytes: 64 << 10})
	pad := strings.Repeat("x", 900)
	for range 20 {
		put(t, s, RankSession, "sent "+pad)
	}
	sent := drain(t, s)
	for i := range 100 {
		put(t, s, RankCritical, fmt.Sprintf("%d %s", i, pad))
	}
	_ = s.Sync()
	if d := s.Stats().Dropped[RankSession]; d != 0 {
		t.Errorf("%d records on their way were given up", d)
	}
	s.Ack(20, len(sent))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPatienceTimesOut(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 64 << 10, Patience: 200 * time.Millisecond})
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		_, err = s.Append(Record{Value: make([]byte, 1000)})
	}
	if !errors.Is(err, ErrFull) || n == 1000 {
		t.Fatalf("after %d records: %v, want that it is full", n, err)
	}
	if st := s.Stats(); st.DroppedTotal() > 0 || st.Records != uint64(n-1) {
		t.Errorf("%+v: something was dropped", st)
	}
}

// TestPatienceEndsWhenSpaceIsFreed fills a spool many times over while a slow reader takes from it.
func TestPatienceEndsWhenSpaceIsFreed(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 64 << 10, Patience: 20 * time.Second})
	const n = 1000
	var got int
	var w sync.WaitGroup
	w.Go(func() {
		for got < n {
			all := s.Next(t.Context(), 10)
			if all == nil {
				return
			}
			got += len(all)
			s.Ack(all[len(all)-1].Index+1, len(all))
		}
	})
	for range n {
		put(t, s, RankLow, strings.Repeat("x", 1000))
	}
	w.Wait()
	if st := s.Stats(); got != n || st.DroppedTotal() > 0 || st.Acked != n || st.Records != 0 {
		t.Errorf("%d of %d arrived: %+v", got, n, st)
	}
}

// TestConcurrentAppend lets several append, one drain, and a small spool give up records: what was not counted as dropped arrives once.
func TestConcurrentAppend(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 256 << 10})
	const writers, each = 4, 2000
	var w sync.WaitGroup
	for i := range writers {
		w.Go(func() {
			for j := range each {
				if _, err := s.Append(Record{Rank: Rank((i + j) % int(numRanks)), Value: bytes.Repeat([]byte("x"), j%700)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen := map[uint64]bool{}
	ctx, stop := context.WithCancel(t.Context())
	reader := make(chan struct{})
	go func() {
		defer close(reader)
		for all := s.Next(ctx, 50); all != nil; all = s.Next(ctx, 50) {
			for _, r := range all {
				if seen[r.Index] {
					t.Errorf("record %d came twice", r.Index)
				}
				seen[r.Index] = true
			}
			s.Ack(all[len(all)-1].Index+1, len(all))
		}
	}()
	w.Wait()
	for s.Stats().Records > 0 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-reader
	if n := uint64(len(seen)) + s.Stats().DroppedTotal(); n != writers*each {
		t.Errorf("%d arrived and %d were dropped of %d", len(seen), s.Stats().DroppedTotal(), writers*each)
	}
}
