// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"stillwatch/internal/testlab/trace"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/pipeline"
)

// office writes a small office trace, changed by edit, and gives its path.
func office(t *testing.T, edit func(file []byte)) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := trace.Write(&b, trace.Config{Kind: trace.Office, Packets: 20_000, Sessions: 700, Seed: 3}); err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(b.Bytes())
	}
	path := filepath.Join(t.TempDir(), "office.pcap")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, path string, out pipeline.Output) (pipeline.Summary, error) {
	t.Helper()
	src, err := capture.OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Shards: 2, Replay: true}, src, out)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(context.Background())
	return r.Summary(), err
}

// TestWrongTimestampDoesNotMoveTheClock dates one frame in the middle decades ahead.
func TestWrongTimestampDoesNotMoveTheClock(t *testing.T) {
	want, err := run(t, office(t, nil), pipeline.Output{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := run(t, office(t, func(file []byte) {
		at := 24
		for range 9_000 {
			at += 16 + int(binary.LittleEndian.Uint32(file[at+8:]))
		}
		binary.LittleEndian.PutUint32(file[at:], 4_200_000_000)
	}), pipeline.Output{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Last != want.Last || got.Counters["frames_time_ahead"] != 1 || got.Counters["frames_time_backwards"] != 0 {
		t.Errorf("last %d, want %d; %d ahead, %d backwards", got.Last, want.Last, got.Counters["frames_time_ahead"], got.Counters["frames_time_backwards"])
	}
	if got.Counters["sessions_expired"] != want.Counters["sessions_expired"] {
		t.Errorf("%d sessions expired, want %d", got.Counters["sessions_expired"], want.Counters["sessions_expired"])
	}
}

// TestLongPauseIsFollowed has a pause of a month in the middle: two frames agree, and the clock follows.
func TestLongPauseIsFollowed(t *testing.T) {
	const month = 30 * 86400
	got, err := run(t, office(t, func(file []byte) {
		at := 24
		for n := 0; at+16 <= len(file); n++ {
			if n >= 10_000 {
				binary.LittleEndian.PutUint32(file[at:], binary.LittleEndian.Uint32(file[at:])+month)
			}
			at += 16 + int(binary.LittleEndian.Uint32(file[at+8:]))
		}
	}), pipeline.Output{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Last-got.First < month*1e9 || got.Counters["frames_time_ahead"] != 1 {
		t.Errorf("from %d to %d, %d ahead", got.First, got.Last, got.Counters["frames_time_ahead"])
	}
}

// TestPanicEndsTheRunOnly makes a part of the run fail as a bug would.
func TestPanicEndsTheRunOnly(t *testing.T) {
	n := 0
	_, err := run(t, office(t, nil), pipeline.Output{Session: func(*schemas.Session) error {
		if n++; n == 100 {
			panic("a bug")
		}
		return nil
	}})
	var bug *pipeline.PanicError
	if !errors.As(err, &bug) || bug.Where != "correlator" || len(bug.Stack) == 0 || n != 100 {
		t.Errorf("%v after %d sessions", err, n)
	}
}

// TestFailedOutputEndsTheRun cannot write any more after a while.
func TestFailedOutputEndsTheRun(t *testing.T) {
	full := errors.New("no space left")
	n := 0
	_, err := run(t, office(t, nil), pipeline.Output{Session: func(*schemas.Session) error {
		if n++; n >= 50 {
			return full
		}
		return nil
	}})
	if !errors.Is(err, full) || n != 50 {
		t.Errorf("%v after %d sessions", err, n)
	}
}

// TestCanceledRunReportsItsResults stops in the middle.
func TestCanceledRunReportsItsResults(t *testing.T) {
	src, err := capture.OpenFiles([]string{office(t, nil)}, capture.BatchSize(64<<10))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	ctx, cancel := context.WithCancel(context.Background())
	sessions := 0
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Replay: true}, src, pipeline.Output{Session: func(*schemas.Session) error {
		sessions++
		cancel()
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if s := r.Summary(); uint64(sessions) != s.Sessions || s.Sessions == 0 || s.Packets == 20_000 {
		t.Errorf("%d sessions written, %d counted, %d packets", sessions, s.Sessions, s.Packets)
	}
}
