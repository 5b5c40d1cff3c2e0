// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// follow reads n frames of files that are followed.
func follow(t *testing.T, n int, idle time.Duration, paths ...string) ([]given, *Files) {
	t.Helper()
	f, err := OpenFiles(paths, Follow(idle))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return more(t, f, n), f
}

// more reads n further frames.
func more(t *testing.T, f *Files, n int) (frames []given) {
	t.Helper()
	var b Batch
	for len(frames) < n {
		if err := f.Next(&b); err != nil {
			t.Fatalf("after %d of %d frames: %v", len(frames), n, err)
		}
		for _, fr := range b.Frames {
			frames = append(frames, given{fr, string(b.Data[fr.Off:][:fr.Len])})
		}
	}
	return frames
}

// written appends to a file in pieces of so many bytes.
func written(t *testing.T, path string, data []byte, piece int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	for len(data) > 0 {
		n := min(piece, len(data))
		if _, err := f.Write(data[:n]); err != nil {
			t.Error(err)
		}
		data = data[n:]
	}
}

func framesOf(from, n int) (secs []uint32) {
	for i := range n {
		secs = append(secs, uint32(from+i))
	}
	return secs
}

func sameFrames(t *testing.T, got, want []given) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, not %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Time != want[i].Time || got[i].data != want[i].data {
			t.Fatalf("frame %d is %+v, not %+v", i, got[i].Frame, want[i].Frame)
		}
	}
}

// A file that is written in pieces, which end within records, gives the frames of the finished file.
func TestFollowGrowingFile(t *testing.T) {
	whole := at(framesOf(1, 300)...)
	want, _ := readAll(t, nil, put(t, whole))
	path := put(t, nil)
	go written(t, path, whole, 7)
	got, f := follow(t, len(want), time.Nanosecond, path)
	sameFrames(t, got, want)
	if st := f.Stats(); len(st.Damage) > 0 || st.BytesTotal != 0 {
		t.Errorf("%+v", st)
	}
	go f.Close()
	if err := f.Next(&Batch{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("at the end: %v", err)
	}
}

// Decoders hold back their last bytes until they know that no more follow, so a compressed file is read to its end when a newer one has appeared.
func TestFollowCompressed(t *testing.T) {
	whole := at(framesOf(1, 300)...)
	for name, data := range map[string][]byte{"gzip": gzipped(t, whole), "zstd": zstded(t, whole), "lz4": lz4ed(t, whole), "xz": compressed(t, "xz", whole)} {
		t.Run(name, func(t *testing.T) {
			dir, next := t.TempDir(), at(1000)
			want, _ := readAll(t, nil, put(t, data), put(t, next))
			go func() {
				written(t, filepath.Join(dir, "a"), data, 97)
				written(t, filepath.Join(dir, "b"), next, 1<<10)
			}()
			got, f := follow(t, len(want), time.Nanosecond, dir)
			sameFrames(t, got, want)
			if st := f.Stats(); len(st.Damage) > 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// Files that appear later are read in turn, and each to its end, though the first file exists before.
func TestFollowRotation(t *testing.T) {
	dir := t.TempDir()
	finished := t.TempDir()
	var names []string
	for i := range 12 { // tcpdump -C: the order of names is not that of time
		names = append(names, fmt.Sprintf("span.pcap%d", i))
		written(t, filepath.Join(finished, names[i]), at(framesOf(1+20*i, 20)...), 1<<20)
	}
	want, _ := readAll(t, nil, finished)
	go func() {
		for i, name := range names {
			written(t, filepath.Join(dir, name), nil, 1) // empty at first
			written(t, filepath.Join(dir, name), at(framesOf(1+20*i, 20)...), 50)
		}
		written(t, filepath.Join(dir, "log.txt"), []byte("not a capture"), 100)
	}()
	got, f := follow(t, len(want), time.Millisecond, dir)
	sameFrames(t, got, want)
	if st := f.Stats(); len(st.Damage) > 0 || st.Files != 12 {
		t.Errorf("%+v", st)
	}
}

// A cut record is waited for while its file is the newest, and is damage when a newer one has appeared.
func TestFollowCutRecord(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	written(t, a, at(1, 2)[:50], 1<<10)
	got, f := follow(t, 1, time.Millisecond, filepath.Join(dir, "*"))
	written(t, b, at(3), 1<<10)
	got = append(got, more(t, f, 1)...)
	if got[1].Time != 3e9 {
		t.Errorf("%+v", got[1])
	}
	if st := f.Stats(); len(st.Damage) != 1 || st.Damage[0].File != a || !strings.Contains(st.Damage[0].Reason, "ends within a record") {
		t.Errorf("%+v", st.Damage)
	}
	// What is added to a file that was taken for complete is not read, and that is said.
	written(t, a, at(1, 2)[50:], 1<<10)
	written(t, filepath.Join(dir, "c"), at(4), 1<<10)
	if got := more(t, f, 1); got[0].Time != 4e9 {
		t.Errorf("%+v", got[0])
	}
	if st := f.Stats(); len(st.Damage) != 1 {
		t.Errorf("damaged already, and reported again: %+v", st.Damage)
	}
	written(t, b, at(5)[24:], 1<<10)
	written(t, filepath.Join(dir, "d"), at(6), 1<<10)
	if got := more(t, f, 1); got[0].Time != 6e9 {
		t.Errorf("%+v", got[0])
	}
	if st := f.Stats(); len(st.Damage) != 2 || st.Damage[1].File != b || !strings.Contains(st.Damage[1].Reason, "it has grown after a newer file had appeared") {
		t.Errorf("%+v", st.Damage)
	}
}

// A ring of files (tcpdump -W) uses names again.
func TestFollowRing(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, secs ...uint32) {
		if err := os.WriteFile(filepath.Join(dir, name), at(secs...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("ring0", 1)
	got, f := follow(t, 1, time.Millisecond, dir)
	for i := range uint32(6) {
		put(fmt.Sprintf("ring%d", (i+1)%2), i+2, i+2)
		got = append(got, more(t, f, 2)...)
	}
	for i, g := range got {
		if g.Time != int64(1+(i+1)/2)*1e9 {
			t.Errorf("frame %d: %+v", i, g)
		}
	}
	if st := f.Stats(); len(st.Damage) > 0 {
		t.Errorf("%+v", st.Damage)
	}
}

func TestFollowErrors(t *testing.T) {
	for name, c := range map[string]struct{ path, want string }{
		"standard input": {Stdin, "standard input: cannot be followed"},
		"missing":        {filepath.Join(t.TempDir(), "none"), "no such file"},
		"text":           {put(t, []byte("text and more")), "not a capture"},
		"archive":        {put(t, zipped(t, stored{"a", at(1)})), "is a zip archive, which cannot be followed"},
		"pipe":           {pipe(t), "cannot be followed"},
	} {
		if _, err := OpenFiles([]string{c.path}, Follow(time.Second)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
