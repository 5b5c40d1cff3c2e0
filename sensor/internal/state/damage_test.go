// SPDX-License-Identifier: Apache-2.0

package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/snapshot"
)

// filled makes a state of some hundred pages, and gives its bytes.
func filled(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, options())
	for at := range int64(3) {
		records := map[string]string{}
		for i := range 1500 {
			records[fmt.Sprintf("key %d", i*int(at+1))] = strings.Repeat("v", 20+i%100)
		}
		save(t, s, (100+10*at)*sec, records)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// use opens a state and does with it what a run does; nothing of it may panic.
func use(t testing.TB, path string) error {
	s, err := Open(path, options())
	if err != nil {
		return err
	}
	err = s.Load([]snapshot.Part{{Name: "t/1", Restore: func(all snapshot.Records) (bad int) {
		for k, v := range all {
			if len(k) > len(v)+1<<20 {
				bad++
			}
		}
		return bad
	}}})
	if err == nil {
		if b := s.Ready(1 << 62); b != nil {
			put(b, "key 1", "new")
			s.Save(b, 1<<62, false)
		}
	}
	s.journal.keep = false
	close(s.closing) // a database that cannot be written to is not waited for
	close(s.jobs)
	<-s.done
	close(s.sync)
	return errors.Join(err, s.journal.end(), withRecovery(s.db.Close))
}

// TestDamageIsReported damages a state in many ways. Whatever is left of it is read, or it is refused in one line.
func TestDamageIsReported(t *testing.T) {
	raw := filled(t)
	dir := t.TempDir()
	refused, taken := 0, 0
	rounds := uint64(600)
	if testing.Short() {
		rounds = 60
	}
	for seed := range rounds {
		x := rand.New(rand.NewPCG(seed, 1))
		b := append([]byte(nil), raw...)
		switch seed % 6 {
		case 0: // bits flip
			for range 1 + x.IntN(20) {
				b[x.IntN(len(b))] ^= 1 << x.IntN(8)
			}
		case 1: // heads of pages and the first elements, where it hurts
			for range 1 + x.IntN(6) {
				b[x.IntN(len(b)/4096)*4096+x.IntN(48)] = byte(x.Uint32())
			}
		case 2: // cut short
			b = b[:x.IntN(len(b))]
		case 3: // a page stands in the place of another
			from, to := x.IntN(len(b)/4096)*4096, x.IntN(len(b)/4096)*4096
			copy(b[to:to+4096], b[from:from+4096])
		case 4: // a page is empty
			clear(b[x.IntN(len(b)/4096)*4096:][:4096])
		case 5: // a branch refers to another page, which says that it is that one
			misdirect(x, b)
		}
		path := filepath.Join(dir, fmt.Sprint(seed)) // each its own: the library lets no lock go of what it broke at
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		switch err := use(t, path); {
		case err == nil:
			taken++
		case errors.Is(err, ErrInUse):
			t.Errorf("seed %d: %v", seed, err)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("seed %d: %v", seed, err)
		default:
			refused++
		}
		for _, f := range []string{path, journalName(path, 0), journalName(path, 1)} {
			_ = os.Remove(f)
		}
	}
	t.Logf("%d refused, %d read", refused, taken)
	if refused == 0 || taken == 0 {
		t.Error("this damages too much or too little")
	}
}

// misdirect makes a tree that has no end.
func misdirect(x *rand.Rand, b []byte) {
	for range 200 {
		page := x.IntN(len(b) / 4096)
		h := b[page*4096:]
		if binary.NativeEndian.Uint16(h[8:]) != branchFlag {
			continue
		}
		n := int(binary.NativeEndian.Uint16(h[10:]))
		if n == 0 || n > 200 {
			continue
		}
		binary.NativeEndian.PutUint64(h[pageHead+16*x.IntN(n)+8:], uint64(x.IntN(len(b)/4096)))
		return
	}
}

func TestEndlessTreeIsNotFollowed(t *testing.T) {
	raw := filled(t)
	path := filepath.Join(t.TempDir(), "state")
	found := false
	for page := range len(raw) / 4096 {
		h := raw[page*4096:]
		if binary.NativeEndian.Uint16(h[8:]) != branchFlag || binary.NativeEndian.Uint16(h[10:]) == 0 {
			continue
		}
		b := append([]byte(nil), raw...)
		binary.NativeEndian.PutUint64(b[page*4096+pageHead+8:], uint64(page)) // it refers to itself
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := inspect(path); err != nil {
			found = found || errors.Is(err, ErrDamaged)
		}
	}
	if !found {
		t.Error("no page was refused")
	}
}

func TestDamagedFileIsMovedAway(t *testing.T) {
	raw := filled(t)
	path := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(path, raw[:len(raw)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, options()); !errors.Is(err, ErrDamaged) {
		t.Fatalf("%v", err)
	}
	var told []error
	o := options()
	o.MoveDamaged, o.Report = true, func(err error) { told = append(told, err) }
	s := mustOpen(t, path, o)
	if got := content(t, s); len(got) != 0 {
		t.Errorf("%d records", len(got))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	left, _ := filepath.Glob(path + ".damaged-*")
	if len(left) != 1 || len(told) != 1 || !strings.Contains(told[0].Error(), "has been moved to "+left[0]) {
		t.Errorf("%q, told %v", left, told)
	}
}

func TestBadRecordIsSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	s := mustOpen(t, path, options())
	save(t, s, 100*sec, map[string]string{"a": "first value", "b": "second value"})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), "first value", "worst value")), 0o600); err != nil {
		t.Fatal(err)
	}
	var told []error
	o := options()
	o.Report = func(err error) { told = append(told, err) }
	s = mustOpen(t, path, o)
	defer s.Close()
	if got := content(t, s); len(got) != 1 || got["b"] != "second value" || s.Stats().LeftOut != 1 || len(told) != 1 {
		t.Errorf("%v, %d left out, told %v", got, s.Stats().LeftOut, told)
	}
}

// TestFullDisk fills a small disk: the sensor goes on, the fault is shown, and once there is room all is saved.
func TestFullDisk(t *testing.T) {
	if !testneed.MountNamespace(t) {
		return
	}
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=2m"); err != nil {
		testneed.Missing(t, "root", "no tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	s := mustOpen(t, filepath.Join(dir, "state"), options())
	save(t, s, 100*sec, map[string]string{"a": "1"})
	ballast := filepath.Join(dir, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 4<<20), 0o600) // as much as there is room for
	b := s.Ready(200 * sec)
	for i := range 4000 {
		put(b, fmt.Sprint("key ", i), strings.Repeat("v", 200))
	}
	s.Save(b, 200*sec, false)
	waitFor(t, "the fault", func() bool { return s.Stats().Fault != nil })
	decide(s, "x", strings.Repeat("y", 8192))
	if st := s.Stats(); st.JournalErrors != 1 || st.Errors == 0 {
		t.Errorf("%+v", st)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the snapshot", func() bool { return s.Stats().Saves == 2 })
	decide(s, "x", "z")
	if st := s.Stats(); st.JournalErrors != 1 || st.Fault != nil {
		t.Errorf("%+v", st)
	}
	if got := content(t, s); len(got) != 4001 {
		t.Errorf("%d records", len(got))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzInspect passes pages with valid checksums to inspect, and reads the accepted files with the library.
func FuzzInspect(f *testing.F) {
	raw := filled(f)
	f.Add(uint32(100), []byte{1, 2, 3}, uint32(9000), []byte{9})
	mutate.Fuzz(f, func(t *testing.T, at uint32, what []byte, also uint32, more []byte) {
		b := append([]byte(nil), raw...)
		copy(b[int(at)%len(b):], what)
		copy(b[int(also)%len(b):], more)
		for i := range 2 { // so that the checksum is right
			h := fnv.New64a()
			m := b[i*4096+pageHead:]
			h.Write(m[:metaBytes-8])
			binary.NativeEndian.PutUint64(m[metaBytes-8:], h.Sum64())
		}
		path := filepath.Join(t.TempDir(), "state")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_ = use(t, path)
	})
}
