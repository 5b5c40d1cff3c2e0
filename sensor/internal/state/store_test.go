// SPDX-License-Identifier: Apache-2.0

package state

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"stillwatch/sensor/internal/snapshot"
)

const sec = int64(time.Second)

func options() Options { return Options{Sensor: "s", Site: "hq", Version: "1", Pause: 1} }

func mustOpen(t testing.TB, path string, o Options) *Store {
	t.Helper()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// put writes a batch with one record.
func put(b *snapshot.Batch, k, v string) {
	b.Put("t/1").Raw([]byte(k))
	b.Value()
	b.Codec().Raw([]byte(v))
	b.End()
}

// save makes a snapshot at a time and waits until it is on disk.
func save(t testing.TB, s *Store, at int64, records map[string]string) {
	t.Helper()
	var b *snapshot.Batch
	waitFor(t, "the writer", func() bool { b = s.Ready(at); return b != nil })
	for _, k := range slices.Sorted(maps.Keys(records)) {
		put(b, k, records[k])
	}
	n := s.Stats().Saves
	s.Save(b, at, false)
	waitFor(t, "the snapshot", func() bool { return s.Stats().Saves > n })
}

// content loads what a store has.
func content(t testing.TB, s *Store) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := s.Load([]snapshot.Part{{Name: "t/1", Restore: func(all snapshot.Records) int {
		for k, v := range all {
			got[string(k)] = string(v)
		}
		return 0
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it did not happen", what)
		}
	}
}

// decide keeps an alert in the journal.
func decide(s *Store, k, v string) {
	var b snapshot.Batch
	put(&b, k, v)
	s.Decided(&b, []byte("alert "+v))
}

// abandon leaves a store as a kill does: what was not handed over is lost, and the lock goes with the process.
func abandon(t testing.TB, s *Store) {
	t.Helper()
	close(s.jobs)
	<-s.done
	close(s.sync)
	if err := errors.Join(s.journal.end(), s.db.Close()); err != nil {
		t.Fatal(err)
	}
}

func texts(all [][]byte) (out []string) {
	for _, b := range all {
		out = append(out, string(b))
	}
	return out
}

func TestSaveAndRestore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, options())
	if got := content(t, s); len(got) != 0 || s.Clock() != 0 {
		t.Fatalf("a new one has %v", got)
	}
	save(t, s, 100*sec, map[string]string{"a": "1", "b": "2"})
	if s.Ready(109*sec) != nil {
		t.Error("a snapshot is due before its time")
	}
	save(t, s, 110*sec, map[string]string{"b": "3", "c": ""})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, path, options())
	defer s.Close()
	if got := content(t, s); !maps.Equal(got, map[string]string{"a": "1", "b": "3", "c": ""}) || s.Clock() != 110*sec {
		t.Errorf("%v at %d", got, s.Clock())
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestDeleteAndClear(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, options())
	save(t, s, 100*sec, map[string]string{"a": "1", "b": "2"})
	b := s.Ready(200 * sec)
	b.Delete("t/1").Raw([]byte("a"))
	b.End()
	s.Save(b, 200*sec, false)
	waitFor(t, "the snapshot", func() bool { return s.Stats().Saves == 2 })
	if got := content(t, s); !maps.Equal(got, map[string]string{"b": "2"}) {
		t.Errorf("%v", got)
	}
	b = s.Ready(300 * sec)
	b.Clear("t/1")
	put(b, "c", "3")
	s.Save(b, 300*sec, false)
	waitFor(t, "the snapshot", func() bool { return s.Stats().Saves == 3 })
	if got := content(t, s); !maps.Equal(got, map[string]string{"c": "3"}) {
		t.Errorf("%v", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestJournalSurvivesAKill goes through kills before, within and after a snapshot of several batches.
func TestJournalSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, options())
	save(t, s, 100*sec, map[string]string{"x": "old", "y": "y"})
	decide(s, "x", "one")
	decide(s, "z", "two")
	abandon(t, s)

	s = mustOpen(t, path, options())
	if got := content(t, s); !maps.Equal(got, map[string]string{"x": "one", "y": "y", "z": "two"}) {
		t.Errorf("%v", got)
	}
	if got := texts(s.Repeat()); !slices.Equal(got, []string{"alert one", "alert two"}) {
		t.Errorf("%q", got)
	}
	decide(s, "x", "three")
	abandon(t, s) // again, before any snapshot

	s = mustOpen(t, path, options())
	if got := texts(s.Repeat()); !slices.Equal(got, []string{"alert one", "alert two", "alert three"}) {
		t.Errorf("%q", got)
	}
	content(t, s)
	b := s.Ready(200 * sec)
	put(b, "y", "first part")
	s.Save(b, 200*sec, true)
	waitFor(t, "the batch", func() bool { return len(s.free) == 1 })
	decide(s, "w", "four")
	abandon(t, s) // within a snapshot

	s = mustOpen(t, path, options())
	if got := content(t, s); !maps.Equal(got, map[string]string{"x": "three", "y": "first part", "z": "two", "w": "four"}) {
		t.Errorf("%v", got)
	}
	if got := texts(s.Repeat()); !slices.Equal(got, []string{"alert one", "alert two", "alert three", "alert four"}) {
		t.Errorf("%q", got)
	}
	save(t, s, 300*sec, nil)
	save(t, s, 400*sec, nil)
	decide(s, "v", "five")
	abandon(t, s)

	s = mustOpen(t, path, options())
	if got := texts(s.Repeat()); !slices.Equal(got, []string{"alert five"}) {
		t.Errorf("%q", got)
	}
	if got := content(t, s); !maps.Equal(got, map[string]string{"x": "three", "y": "first part", "z": "two", "w": "four", "v": "five"}) {
		t.Errorf("%v", got)
	}
	save(t, s, 500*sec, nil)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
		t.Errorf("left are %q", left)
	}
}

// TestTornJournal cuts the journal everywhere: what is whole of it counts.
func TestTornJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, options())
	save(t, s, 100*sec, nil)
	decide(s, "x", "one")
	whole := s.Stats().JournalBytes
	decide(s, "x", "two")
	name := s.journal.files[s.journal.at].Name()
	abandon(t, s)
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(raw); n >= 0; n-- {
		if err := os.WriteFile(name, raw[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, path, options())
		want := []string{"alert one", "alert two"}[:min(n/int(whole), 2)]
		if n == len(raw) {
			want = []string{"alert one", "alert two"}
		}
		if got := texts(s.Repeat()); !slices.Equal(got, want) {
			t.Errorf("%d of %d bytes: %q", n, len(raw), got)
		}
		abandon(t, s)
	}
}

func TestForeignFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	made := func(name string, o Options, change func(*bolt.Bucket) error) string {
		path := filepath.Join(dir, name)
		s := mustOpen(t, path, o)
		save(t, s, 100*sec, nil)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if change != nil {
			db, err := bolt.Open(path, 0o600, nil)
			if err == nil {
				err = db.Update(func(tx *bolt.Tx) error { return change(tx.Bucket(metaBucket)) })
			}
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	other := options()
	other.Site = "branch"
	elsewhere := options()
	elsewhere.Sensor = "s2"
	for _, tt := range []struct{ path, want string }{
		{file("text", strings.Repeat("not a database\n", 5000)), "this is no state file: use another name"},
		{file("short", "x"), "this is no state file: use another name"},
		{dir, "this is no state file: use another name"},
		{filepath.Join(dir, "no", "state"), "no such file or directory"},
		{made("site", other, nil), `it is the state of site "branch" and this is site "hq": use another file, or move it away to start without state`},
		{made("sensor", elsewhere, nil), `it is the state of sensor "s2" and this is sensor "s": use another file, or move it away to start without state`},
		{made("newer", options(), func(b *bolt.Bucket) error { return b.Put([]byte("format"), []byte("2")) }),
			`it has format "2" and this program reads 1: use the version that wrote it, or move the file away to start without state`},
		{made("bolt", options(), func(b *bolt.Bucket) error { return b.Delete([]byte("format")) }), `it has format "" and this program reads 1`},
	} {
		before, _ := os.ReadFile(tt.path)
		for _, aside := range []bool{false, true} {
			o := options()
			o.MoveDamaged = aside
			s, err := Open(tt.path, o)
			if err == nil {
				s.Close()
				t.Errorf("%s was opened", tt.path)
				continue
			}
			if want := "state " + tt.path + ": " + tt.want; !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if after, _ := os.ReadFile(tt.path); string(after) != string(before) {
			t.Errorf("%s was changed", tt.path)
		}
	}
}

func TestStateIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, options())
	defer s.Close()
	if _, err := Open(path, options()); !errors.Is(err, ErrInUse) {
		t.Errorf("%v", err)
	}
}

func TestStateFromTheFutureIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, options())
	save(t, s, 5000*sec, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o := options()
	o.NotAfter = 4999 * sec
	if _, err := Open(path, o); err == nil || !strings.Contains(err.Error(), "1970-01-01T01:23:20Z, which is in the future") {
		t.Errorf("%v", err)
	}
	o.NotAfter = 5000 * sec
	if err := mustOpen(t, path, o).Close(); err != nil {
		t.Error(err)
	}
}

// TestSlowDiskDoesNotBlock uses a slow disk: the caller does not wait, and postponed snapshots are counted.
func TestSlowDiskDoesNotBlock(t *testing.T) {
	o := options()
	var slow sync.Mutex
	slow.Lock()
	o.Sync = func() error {
		slow.Lock()
		defer slow.Unlock()
		return nil
	}
	s := mustOpen(t, filepath.Join(t.TempDir(), "state"), o)
	b := s.Ready(100 * sec)
	put(b, "a", "1")
	s.Save(b, 100*sec, false)
	for i := range int64(50) {
		if s.Ready((110+i)*sec) != nil {
			t.Fatal("it is ready while the disk is at work")
		}
		decide(s, "x", fmt.Sprint(i))
	}
	if st := s.Stats(); st.Postponed != 1 || st.Saves != 0 || st.JournalErrors != 0 {
		t.Errorf("%+v", st)
	}
	slow.Unlock()
	save(t, s, 200*sec, map[string]string{"b": "2"})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestOutputsAreSyncedBeforeASnapshot holds a snapshot back while the alerts in it are on no disk.
func TestOutputsAreSyncedBeforeASnapshot(t *testing.T) {
	o := options()
	var mu sync.Mutex
	fault := errors.New("the spool is full")
	o.Sync = func() error {
		mu.Lock()
		defer mu.Unlock()
		return fault
	}
	var told []string
	o.Report = func(err error) { told = append(told, err.Error()) }
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, o)
	b := s.Ready(100 * sec)
	put(b, "a", "1")
	s.Save(b, 100*sec, false)
	waitFor(t, "the fault", func() bool { return s.Stats().Fault != nil })
	mu.Lock()
	fault = nil
	mu.Unlock()
	waitFor(t, "the snapshot", func() bool { return s.Stats().Saves == 1 })
	if st := s.Stats(); st.Errors == 0 || st.Fault != nil {
		t.Errorf("%+v", st)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	want := []string{"state " + path + " cannot be saved and will be retried: the spool is full", "state " + path + " is saved again"}
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}

// TestOldVersionIsSkipped has a part in another form than the one that was saved, and one that nobody asks for.
func TestOldVersionIsSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, options())
	b := s.Ready(100 * sec)
	for _, part := range []string{"t/0", "other/1"} {
		b.Put(part).Raw([]byte("k"))
		b.End()
	}
	s.Save(b, 100*sec, false)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	o := options()
	var told []string
	o.Report = func(err error) { told = append(told, err.Error()) }
	s = mustOpen(t, path, o)
	if got := content(t, s); len(got) != 0 || s.Stats().LeftOut != 1 {
		t.Errorf("%v, %d left out", got, s.Stats().LeftOut)
	}
	if want := "state " + path + ": records that another version of the sensor wrote were dropped: 1 of t/0"; !slices.Equal(told, []string{want}) {
		t.Errorf("told %q, want %q", told, want)
	}
	save(t, s, 200*sec, nil)
	left := map[string]int{}
	if err := s.db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			left[string(name)] = b.Stats().KeyN
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	if left["t/0"] != 0 || left["other/1"] != 1 {
		t.Errorf("%v", left)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
