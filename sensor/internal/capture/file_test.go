// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pierrec/lz4/v4"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/capture/pcapfile"
)

// at is a capture with packets at the given seconds.
func at(secs ...uint32) []byte {
	var recs []rec
	for _, s := range secs {
		recs = append(recs, frameOf(s, 4, byte(s)))
	}
	return plain(recs...)
}

func TestOrderOfCaptures(t *testing.T) {
	paths := []string{
		put(t, at(30, 31)), put(t, at()), put(t, gzipped(t, at(10, 40))), put(t, at(20)), put(t, zstded(t, at(5))), put(t, at(20, 21)),
	}
	got, st := readAll(t, nil, paths...)
	var secs []int64
	for _, f := range got {
		secs = append(secs, f.Time/1e9)
	}
	want := []int64{5, 10, 40, 20, 20, 21, 30, 31}
	if len(secs) != len(want) {
		t.Fatalf("%v, not %v", secs, want)
	}
	for i := range want {
		if secs[i] != want[i] {
			t.Fatalf("%v, not %v", secs, want)
		}
	}
	if st.Files != 6 || st.Frames != 8 || st.Bytes != 32 || st.BytesRead != st.BytesTotal || st.BytesTotal == 0 {
		t.Errorf("%+v", st)
	}
}

func TestCompressed(t *testing.T) {
	var recs []rec
	for i := range 2000 {
		recs = append(recs, frameOf(uint32(i), 900, byte(i)))
	}
	whole := plain(recs...)
	head, tail := whole[:700_001], whole[700_001:]
	skippable := append([]byte{0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0}, 1, 2, 3)
	for name, data := range map[string][]byte{
		"plain":                whole,
		"gzip":                 gzipped(t, whole),
		"gzip of two members":  append(gzipped(t, head), gzipped(t, tail)...),
		"gzip, empty members":  bytes.Join([][]byte{gzipped(t, nil), gzipped(t, whole), gzipped(t, nil)}, nil),
		"zstd":                 zstded(t, whole),
		"zstd of two frames":   append(zstded(t, head), zstded(t, tail)...),
		"zstd, skippable head": append(skippable, zstded(t, whole)...),
		"xz":                   compressed(t, "xz", whole),
		"xz of two streams":    append(compressed(t, "xz", head), compressed(t, "xz", tail)...),
		"bzip2":                compressed(t, "bzip2", whole),
		"bzip2 of two streams": append(compressed(t, "bzip2", head), compressed(t, "bzip2", tail)...),
		"lz4":                  lz4ed(t, whole),
		"lz4 of two frames":    append(lz4ed(t, head), lz4ed(t, tail)...),
		"lz4, legacy":          lz4ed(t, whole, lz4.LegacyOption(true)),
	} {
		got, st := readAll(t, nil, put(t, data))
		if len(got) != len(recs) || len(st.Damage) > 0 {
			t.Errorf("%s: %d frames, %v", name, len(got), st.Damage)
			continue
		}
		for i := range got {
			if got[i].data != string(recs[i].data) {
				t.Errorf("%s: frame %d differs", name, i)
				break
			}
		}
		if st.BytesRead != uint64(len(data)) || st.BytesTotal != uint64(len(data)) {
			t.Errorf("%s: %d of %d bytes read, the file has %d", name, st.BytesRead, st.BytesTotal, len(data))
		}
	}
}

func TestManyCaptures(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i := range 1000 {
		path := filepath.Join(dir, time.Duration(i).String())
		if err := os.WriteFile(path, at(uint32(1000-i)), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	f, err := OpenFiles(paths)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil && len(fds) > 50 {
		t.Errorf("%d files are open", len(fds))
	}
	got := drain(t, f)
	for i, g := range got {
		if g.Time != int64(i+1)*1e9 {
			t.Fatalf("frame %d has the time %d", i, g.Time)
		}
	}
	if len(got) != 1000 {
		t.Errorf("%d frames", len(got))
	}
}

func TestNoCaptures(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, path, want string
		format           bool
	}{
		{"missing", filepath.Join(dir, "none"), "no such file or directory", false},
		{"empty", put(t, nil), "not a capture: empty", true},
		{"two bytes", put(t, []byte("ab")), "starts with 0x6162; compressed ones and zip archives are read as well", true},
		{"text", put(t, []byte("GET / HTTP/1.1")), "not a capture in the format pcap, pcapng or snoop: starts with 0x47455420;", true},
		{"text in gzip", put(t, gzipped(t, []byte("hello"))), "starts with 0x68656c6c in gzip;", true},
		{"nothing in zstd", put(t, zstded(t, nil)), "not a capture: empty", true},
	} {
		f, err := OpenFiles([]string{c.path})
		if err == nil {
			f.Close()
			t.Errorf("%s: no error", c.name)
			continue
		}
		var format *FormatError
		var path *fs.PathError
		if errors.As(err, &format) != c.format || errors.As(err, &path) == c.format {
			t.Errorf("%s: %T", c.name, err)
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestErrorNamesAllBadCaptures(t *testing.T) {
	good, bad, dir := put(t, at(1)), put(t, []byte("nonsense")), t.TempDir()
	_, err := OpenFiles([]string{bad, good, dir, Stdin, Stdin})
	for _, want := range []string{bad, dir, errStdinTwice.Error()} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
	if strings.Contains(err.Error(), good) {
		t.Errorf("%v names the good one", err)
	}
}

// A capture that is removed before it is read is damage. The others are still read.
func TestCaptureThatVanishes(t *testing.T) {
	first, second := put(t, at(1)), put(t, at(2))
	f, err := OpenFiles([]string{first, second})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(first); err != nil {
		t.Fatal(err)
	}
	got := drain(t, f)
	st := f.Stats()
	if len(got) != 1 || len(st.Damage) != 1 || st.Damage[0].File != first {
		t.Errorf("%v %+v", got, st)
	}
}

// pipe creates a FIFO and returns its path.
func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := mkfifo(path); err != nil {
		testneed.Missing(t, "fifo", "no FIFO here: %v", err)
	}
	return path
}

// Each frame from a pipe is returned as soon as it is complete.
func TestPipe(t *testing.T) {
	for name, wrap := range map[string]bool{"plain": false, "with another capture": true} {
		t.Run(name, func(t *testing.T) {
			path, whole := pipe(t), at(10, 11, 12)
			step := make(chan bool)
			go func() {
				w, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					return
				}
				defer w.Close()
				cuts := []int{0, 1, 3, 24, 44, 50, 64, len(whole)}
				for i := 1; i < len(cuts); i++ {
					if _, err := w.Write(whole[cuts[i-1]:cuts[i]]); err != nil {
						return
					}
					if cuts[i] == 44 || cuts[i] == 64 {
						<-step
					}
				}
			}()
			paths := []string{path}
			if wrap {
				paths = append(paths, put(t, at(1)))
			}
			f, err := OpenFiles(paths)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var b Batch
			for _, want := range []int64{1, 10, 11, 12}[map[bool]int{true: 0, false: 1}[wrap]:] {
				if err := f.Next(&b); err != nil || len(b.Frames) != 1 || b.Frames[0].Time != want*1e9 {
					t.Fatalf("%v %+v", err, b.Frames)
				}
				if want == 10 || want == 11 {
					step <- true
				}
			}
			if err := f.Next(&b); err != io.EOF {
				t.Error(err)
			}
			if st := f.Stats(); st.BytesTotal != 0 || len(st.Damage) > 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// Close ends a Next that waits for a pipe.
func TestCloseEndsWait(t *testing.T) {
	path := pipe(t)
	quiet := make(chan bool)
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer w.Close()
		if _, err := w.Write(at(1)); err != nil {
			return
		}
		<-quiet
	}()
	defer close(quiet)
	f, err := OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	var b Batch
	if err := f.Next(&b); err != nil {
		t.Fatal(err)
	}
	go f.Close()
	if err := f.Next(&b); !errors.Is(err, os.ErrClosed) || len(b.Frames) > 0 {
		t.Errorf("%v, %d frames", err, len(b.Frames))
	}
	if st := f.Stats(); len(st.Damage) > 0 {
		t.Errorf("closing is damage: %v", st.Damage)
	}
}

// asStdin makes f standard input during the test.
func asStdin(t *testing.T, f *os.File) {
	t.Helper()
	before := os.Stdin
	os.Stdin = f
	t.Cleanup(func() {
		os.Stdin = before
		f.Close()
	})
}

func TestStdin(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		f, err := os.Open(put(t, zstded(t, at(1, 2))))
		if err != nil {
			t.Fatal(err)
		}
		asStdin(t, f)
		if got, st := readAll(t, nil, Stdin, put(t, at(3))); len(got) != 3 || st.BytesTotal != 0 || len(st.Damage) > 0 {
			t.Errorf("%+v %+v", got, st)
		}
	})
	t.Run("pipe whose writer is done", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		asStdin(t, r)
		if _, err := w.Write(at(1, 2)[:50]); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, st := readAll(t, nil, Stdin)
		if len(got) != 1 || len(st.Damage) != 1 || st.Damage[0].File != "standard input" {
			t.Errorf("%+v %+v", got, st)
		}
	})
	t.Run("pipe that goes quiet", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		asStdin(t, r)
		if _, err := w.Write(at(1)); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFiles([]string{Stdin})
		if err != nil {
			t.Fatal(err)
		}
		var b Batch
		if err := f.Next(&b); err != nil || len(b.Frames) != 1 {
			t.Fatalf("%v, %d frames", err, len(b.Frames))
		}
		time.AfterFunc(20*time.Millisecond, func() { f.Close() }) // most likely, Next waits by then
		if err := f.Next(&b); !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
}

// Data that is added to a file before its end is reached is read.
func TestGrowingFile(t *testing.T) {
	path := put(t, at(1, 2))
	f, err := OpenFiles([]string{path}, BatchSize(64))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b Batch
	if err := f.Next(&b); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(at(3, 4)[24:]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := drain(t, f)
	if len(got) == 0 || got[len(got)-1].Time != 4e9 {
		t.Errorf("%+v", got)
	}
}

// Stats may be called from other goroutines.
func TestStatsWhileReading(t *testing.T) {
	var secs []uint32
	for i := range 20_000 {
		secs = append(secs, uint32(i))
	}
	f, err := OpenFiles([]string{put(t, at(secs...)), put(t, zstded(t, at(secs[1:]...))), put(t, []byte{0xd4, 0xc3, 0xb2, 0xa1})}, BatchSize(1024))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			var last uint64
			for {
				select {
				case <-done:
					return
				default:
				}
				st := f.Stats()
				if st.BytesRead < last || st.BytesRead > st.BytesTotal {
					t.Errorf("%d after %d of %d bytes", st.BytesRead, last, st.BytesTotal)
				}
				last = st.BytesRead
			}
		})
	}
	got := drain(t, f)
	close(done)
	asking.Wait()
	if err := errors.Join(f.Close(), f.Close()); err != nil || len(got) != 39_999 {
		t.Errorf("%d frames, %v", len(got), err)
	}
	if err := f.Next(&Batch{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// FuzzRead reads any bytes: the reader does not fail, frames are within their batch, memory does not grow with lengths in the data, and the
// result does not depend on the size of buffers and reads.
func FuzzRead(f *testing.F) {
	n := ng{order: binary.BigEndian}
	n.section().iface(1, 0, n.option(optResolution, []byte{0x8a}), n.option(optFCS, []byte{4})).enhanced(0, 5, []byte("frame"), n.option(optFlags, n.u32(9)))
	n.block(blockSimple, n.u32(3), []byte("abc"))
	f.Add(n.b)
	f.Add(at(1, 2, 3))
	f.Add(pcapOf(binary.BigEndian, pcapKuznet, 1|1<<26|2<<28, 8, frameOf(1, 40, 1)))
	f.Add(gzipped(f, at(1, 2)))
	f.Add(zstded(f, at(1, 2)))
	f.Add(lz4ed(f, at(1, 2)))
	for _, name := range []string{"xz", "bzip2"} {
		if path, err := exec.LookPath(name); err == nil {
			f.Add(piped(f, path, at(1, 2)))
		}
	}
	f.Add(snoopOf(frameOf(1, 60, 1), frameOf(2, 61, 2)))
	mutate.Fuzz(f, func(t *testing.T, data []byte) {
		small := fuzzRead(t, iotest.OneByteReader(bytes.NewReader(data)), 64)
		large := fuzzRead(t, bytes.NewReader(data), 1<<16)
		if small != large {
			t.Errorf("%s with small buffers, %s with large ones", small, large)
		}
	})
}

// fuzzRead reads everything and returns it as text.
func fuzzRead(t *testing.T, r io.Reader, size int) string {
	s := &stream{stop: func() {}}
	defer s.close()
	head, err := readHead(r)
	if err != nil {
		t.Fatal(err)
	}
	if err = s.recognize(nil, r, head); err != nil {
		return err.Error()
	}
	s.firstTime()
	var b Batch
	var bytes uint64
	for err == nil && s.packets < 1<<16 {
		b.Frames = b.Frames[:0]
		err = s.next(&b, size, 0)
		for _, fr := range b.Frames {
			if uint64(fr.Off)+uint64(fr.Len) > uint64(len(b.Data)) || fr.OrigLen < fr.Len {
				t.Fatalf("%+v in %d bytes", fr, len(b.Data))
			}
			bytes += uint64(fr.Len)
		}
		if cap(b.Data) > 4*(pcapfile.MaxFrame+1<<20) {
			t.Fatalf("a buffer of %d bytes", cap(b.Data))
		}
	}
	if err == nil {
		return "many packets" // decompression bomb
	}
	return fmt.Sprintf("%d packets with %d bytes up to %d: %v", s.packets, bytes, s.off, err)
}

// faulty is a reader with a bug.
type faulty struct{}

func (faulty) Read([]byte) (int, error) { panic("index out of range") }

func TestFaultOfDecoderEndsTheFile(t *testing.T) {
	head := []byte{0x28, 0xb5, 0x2f, 0xfd} // of a frame of Zstandard
	_, err := decompress(zstdName, head, faulty{}).Read(make([]byte, 10))
	if err == nil || err.Error() != "damaged zstd compression: the decoder failed: index out of range" {
		t.Errorf("got %v", err)
	}
}
