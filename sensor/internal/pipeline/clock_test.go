// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/pipeline"
)

// ticking returns the frames of src as a live source does: it reports the time while no frame arrives.
type ticking struct {
	capture.Source
	in   capture.Batch
	next int
	now  int64
	step int64
	idle int
}

func (s *ticking) Next(b *capture.Batch) error {
	b.Frames, b.Counts, b.Clock = b.Frames[:0], b.Counts[:0], 0
	if s.next == len(s.in.Frames) {
		s.next = 0
		if err := s.Source.Next(&s.in); err != nil {
			return err
		}
		if len(s.in.Frames) == 0 {
			return nil
		}
	}
	first := s.in.Frames[s.next].Time
	if s.now > 0 && first-s.now > s.step {
		s.now += max(s.step, min(13e9, first-s.now-2e9)) // in small steps where a frame is near
		b.Clock = s.now
		s.idle++
		return nil
	}
	b.Data = append(b.Data[:0], s.in.Data...)
	for ; s.next < len(s.in.Frames) && (s.now == 0 || s.in.Frames[s.next].Time-s.now <= s.step); s.next++ {
		f := s.in.Frames[s.next]
		b.Frames = append(b.Frames, f)
		s.now = max(s.now, f.Time)
	}
	b.Clock = s.now
	return nil
}

// oneWay leaves out what comes from the router, so that the quality of the capture becomes an alert.
type oneWay struct{ capture.Source }

func (s oneWay) Next(b *capture.Batch) error {
	err := s.Source.Next(b)
	b.Frames = slices.DeleteFunc(b.Frames, func(f capture.Frame) bool {
		return bytes.HasPrefix(b.Data[f.Off+6:], []byte{0x00, 0x1b, 0x54})
	})
	return err
}

func alertsOf(t *testing.T, src capture.Source, inventory string) (all []string) {
	t.Helper()
	inv, err := config.LoadInventory(inventory)
	if err != nil {
		t.Fatal(err)
	}
	sharp := filepath.Join(t.TempDir(), "sensor.yaml")
	text := "version: 1\ndetections: {D41: {params: {one_way_share: 0.0001, window_seconds: 1}}}\n"
	if err := os.WriteFile(sharp, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	settings, err := config.Load(sharp)
	if err != nil {
		t.Fatal(err)
	}
	r, err := pipeline.New(pipeline.Config{Settings: settings, Inventory: inv, Replay: true}, src, pipeline.Output{
		Alert: func(a *schemas.Alert) error {
			line, err := schemas.AppendAlert(nil, a)
			all = append(all, string(line))
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return all
}

// TestSourceClockDoesNotChangeResults has the time go on while nothing comes, as it does at a port: the alerts are the same to the byte.
func TestSourceClockDoesNotChangeResults(t *testing.T) {
	for _, story := range []string{"S1", "S3", "S4", "S3 one way"} {
		story, _, cut := strings.Cut(story, " ")
		dir := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", story)
		open := func() capture.Source {
			src, err := capture.OpenFiles([]string{filepath.Join(dir, "input.pcap")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = src.Close() })
			if cut {
				return oneWay{src}
			}
			return src
		}
		want := alertsOf(t, open(), filepath.Join(dir, "inventory.yaml"))
		src := &ticking{Source: open(), step: 150e6}
		got := alertsOf(t, src, filepath.Join(dir, "inventory.yaml"))
		if len(want) == 0 || src.idle < 10_000 {
			t.Fatalf("%s: %d alerts, %d batches without a frame", story, len(want), src.idle)
		}
		for i := range max(len(got), len(want)) {
			switch {
			case i >= len(got):
				t.Fatalf("%s: only %d of %d records", story, len(got), len(want))
			case i >= len(want):
				t.Fatalf("%s: one record too many: %s", story, got[i])
			case got[i] != want[i]:
				t.Fatalf("%s:\ngot  %s\nwant %s", story, got[i], want[i])
			}
		}
	}
}

// jumping returns frames as src does, and once in between a clock that is far ahead.
type jumping struct {
	capture.Source
	batches int
}

func (s *jumping) Next(b *capture.Batch) error {
	if s.batches++; s.batches == 4 {
		b.Frames, b.Counts, b.Clock = b.Frames[:0], b.Counts[:0], 1<<62
		return nil
	}
	return s.Source.Next(b)
}

// TestClockJumpNeedsConfirmation has the source say a time that it then takes back.
func TestClockJumpNeedsConfirmation(t *testing.T) {
	last := func(wrap func(capture.Source) capture.Source) int64 {
		src, err := capture.OpenFiles([]string{office(t, nil)}, capture.BatchSize(64<<10))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		_, sum := sessionsOf(t, wrap(src), 2)
		return sum.Last
	}
	want := last(func(s capture.Source) capture.Source { return s })
	if got := last(func(s capture.Source) capture.Source { return &jumping{Source: s} }); got != want {
		t.Errorf("the run ends at %d, want %d", got, want)
	}
}
