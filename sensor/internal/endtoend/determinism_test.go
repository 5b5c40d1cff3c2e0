// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/pipeline"
)

// TestStoriesGiveTheSameRecords replays each story with the program, in every form of the capture.
func TestStoriesGiveTheSameRecords(t *testing.T) {
	stories, err := filepath.Glob(filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", "*", "input.pcap"))
	if err != nil || len(stories) == 0 {
		t.Fatalf("no story captures: %v", err)
	}
	for _, story := range stories {
		dir := filepath.Dir(story)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			inventory := filepath.Join(dir, "inventory.yaml")
			want := told(t, "--inventory", inventory, "--shards", "1", story)
			for name, args := range ways(t, story) {
				if got := told(t, append([]string{"--inventory", inventory}, args...)...); got != want {
					t.Errorf("%s: %s", name, difference(got, want))
				}
			}
		})
	}
}

// ways returns the arguments for one capture in all its forms.
func ways(t *testing.T, story string) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(story)
	if err != nil {
		t.Fatal(err)
	}
	pieces := cutCapture(raw, 10)
	if pieces == nil {
		t.Fatalf("%s cannot be cut", story)
	}
	dir := t.TempDir()
	cut := save(t, dir, pieces)
	slices.Reverse(cut) // they are put in order by their packets, not by how they are given
	return map[string][]string{
		"again":                   {story},
		"2 shards":                {"--shards", "2", story},
		"4 shards":                {"--shards", "4", story},
		"16 shards":               {"--shards", "16", story},
		"in ten pieces":           cut,
		"in ten pieces, 4 shards": append([]string{"--shards", "4"}, cut...),
		"gzip":                    save(t, dir, [][]byte{gzipped(t, raw)}),
		"zstd":                    save(t, dir, [][]byte{zstandard(t, raw)}),
	}
}

func save(t *testing.T, dir string, pieces [][]byte) (paths []string) {
	t.Helper()
	for _, p := range pieces {
		f, err := os.CreateTemp(dir, "piece")
		if err != nil {
			t.Fatal(err)
		}
		_, werr := f.Write(p)
		if err := errors.Join(werr, f.Close()); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, f.Name())
	}
	return paths
}

func gzipped(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, werr := w.Write(raw)
	if err := errors.Join(werr, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t *testing.T, raw []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(raw, nil)
}

// told runs the program and returns its output, without the fields that differ from run to run.
func told(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	files := []string{"alerts", "incidents", "sessions", "devices"}
	var all []string
	for _, f := range files {
		all = append(all, "--"+f, filepath.Join(dir, f))
	}
	all = append(all, "--evidence", filepath.Join(dir, "evidence"))
	r := run1(t, append(append([]string{"replay"}, all...), args...)...)
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	var b strings.Builder
	for _, f := range files {
		b.WriteString(unstamped(read(t, filepath.Join(dir, f))))
	}
	return b.String()
}

// difference shows the first line in which two texts differ.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d of %d is\n%.2000s\nwant\n%.2000s", i+1, len(g), g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// TestCorpusGivesTheSameRecords replays every eighth capture of the corpus (with -short fewer, with STILLWATCH_ALL_CAPTURES=1 each one) with several
// numbers of shards and cut in pieces. The race detector makes a replay ten times slower.
func TestCorpusGivesTheSameRecords(t *testing.T) {
	root := filepath.Join(testneed.Corpus(t), "captures")
	var paths []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	step := 8
	switch {
	case os.Getenv("STILLWATCH_ALL_CAPTURES") == "1":
		step = 1
	case testing.Short():
		step = 25
	}
	compared := 0
	for i := 0; i < len(paths); i += step {
		want, whole, ok := inProcess(t, 1, paths[i])
		if !ok {
			continue
		}
		compared++
		rel, _ := filepath.Rel(root, paths[i])
		if got, _, _ := inProcess(t, 4, paths[i]); got != want {
			t.Errorf("%s, 4 shards: %s", rel, difference(got, want))
		}
		if raw, err := os.ReadFile(paths[i]); err == nil && whole {
			if pieces := cutCapture(raw, 10); pieces != nil {
				if got, _, _ := inProcess(t, 3, save(t, t.TempDir(), pieces)...); got != want {
					t.Errorf("%s, in pieces: %s", rel, difference(got, want))
				}
			}
		}
	}
	if compared < len(paths)/step/2 {
		t.Errorf("only %d of %d captures could be read", compared, len(paths)/step)
	}
}

// inProcess replays within the test process. whole is false if a capture was damaged; ok is false if one cannot be opened.
func inProcess(t *testing.T, shards int, paths ...string) (text string, whole, ok bool) {
	t.Helper()
	src, err := capture.OpenFiles(paths)
	if err != nil {
		return "", false, false
	}
	defer src.Close()
	var b []byte
	keep := func(line []byte, err error) error {
		b = append(line, '\n')
		return err
	}
	cfg := pipeline.Config{Settings: config.Defaults(), Shards: shards, Version: "test", Replay: true}
	r, err := pipeline.New(cfg, src, pipeline.Output{
		Alert:   func(a *schemas.Alert) error { return keep(schemas.AppendAlert(b, a)) },
		Session: func(s *schemas.Session) error { return keep(schemas.AppendSession(b, s), nil) },
		Device:  func(d *schemas.Device) error { return keep(schemas.AppendDevice(b, d)) },
	})
	if err == nil {
		err = r.Run(context.Background())
	}
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(paths[0]), err)
	}
	return string(b), len(r.Summary().Damage) == 0, true
}

// cutCapture cuts a pcap file into at most n files with equally many packets. It returns nil for other formats, and for captures whose
// pieces, in the order of their first packets, are not in the order of the whole. Pieces that start at the same time are ordered by content.
func cutCapture(raw []byte, n int) (pieces [][]byte) {
	order := pcapOrder(raw)
	if order == nil {
		return nil
	}
	var starts []int
	for at := 24; at+16 <= len(raw); {
		starts = append(starts, at)
		at += 16 + int(order.Uint32(raw[at+8:]))
		if at > len(raw) {
			return nil
		}
	}
	if len(starts) < 2 {
		return nil
	}
	per := (len(starts) + n - 1) / n
	last := uint64(0)
	for i := 0; i < len(starts); i += per {
		end := len(raw)
		if i+per < len(starts) {
			end = starts[i+per]
		}
		first := uint64(order.Uint32(raw[starts[i]:]))<<32 | uint64(order.Uint32(raw[starts[i]+4:]))
		if i > 0 && first <= last {
			return nil
		}
		last = first
		pieces = append(pieces, slices.Concat(raw[:24], raw[starts[i]:end]))
	}
	return pieces
}

// pcapOrder returns the byte order of a pcap file with microseconds or nanoseconds, nil for anything else.
func pcapOrder(raw []byte) binary.ByteOrder {
	if len(raw) < 24 {
		return nil
	}
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(raw); m == 0xa1b2c3d4 || m == 0xa1b23c4d {
			return order
		}
	}
	return nil
}
