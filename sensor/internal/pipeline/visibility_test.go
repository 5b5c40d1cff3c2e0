// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/pipeline"
)

// port is a port without a frame for the sensor, whose clock goes on by a second with each look at it.
type port struct {
	sec, end int64
	blind    func(sec int64) string
	traffic  func(sec int64) bool
	seen     uint64
}

func (p *port) Next(b *capture.Batch) error {
	b.Frames, b.Counts = b.Frames[:0], b.Counts[:0]
	if p.sec++; p.sec > p.end {
		return io.EOF
	}
	if p.traffic(p.sec) {
		p.seen++
	}
	b.Clock = (monday.Unix() + p.sec) * 1e9
	return nil
}

func (p *port) Stats() capture.Stats { return capture.Stats{Blind: p.blind(p.sec), Traffic: p.seen} }
func (p *port) Close() error         { return nil }

// listen runs over a port and gives the titles of its alerts, in the order of their revisions, and how many seconds were watched and not.
func listen(t *testing.T, p *port) (titles []string, watched, lost uint64) {
	t.Helper()
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Shards: 1}, p, pipeline.Output{Alert: func(a *schemas.Alert) error {
		titles = append(titles, a.Title)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	c := r.Summary().Counters
	return titles, c["watched_seconds"], c["unwatched_seconds"]
}

// TestBlindPort has a link fail for 6 seconds.
func TestBlindPort(t *testing.T) {
	titles, watched, lost := listen(t, &port{end: 600, traffic: func(int64) bool { return true }, blind: func(sec int64) string {
		if sec >= 100 && sec < 106 {
			return "the interface span0 has no link"
		}
		return ""
	}})
	all := strings.Join(titles, "\n")
	if len(titles) < 2 || titles[0] != "The sensor is blind: the interface span0 has no link" || !strings.Contains(all, "The sensor was blind for 6 s: the interface span0 has no link") {
		t.Errorf("%q", titles)
	}
	if watched+lost != 599 || lost != 6 {
		t.Errorf("%d s watched, %d s not", watched, lost)
	}
}

// TestPortWithoutTraffic has a port that had traffic fall silent for an hour, and others for which that is nothing new.
func TestPortWithoutTraffic(t *testing.T) {
	never := func(int64) string { return "" }
	const day = 86400
	for name, c := range map[string]struct {
		traffic func(int64) bool
		blind   bool
		end     int64
	}{
		"falls silent":    {func(sec int64) bool { return sec < 7200 || sec > 10_800 }, true, day / 2},
		"never had any":   {func(int64) bool { return false }, false, day},
		"ten minutes off": {func(sec int64) bool { return sec%1200 < 600 }, false, day},
		"an hour between": {func(sec int64) bool { return sec < 100 || sec%3600 == 0 || sec > 2*day }, true, 3 * day}, // until it is known to be usual
	} {
		titles, watched, lost := listen(t, &port{end: c.end, traffic: c.traffic, blind: never})
		if got := strings.Contains(strings.Join(titles, "\n"), "The sensor is blind: no frame has arrived at the interface since"); got != c.blind {
			t.Errorf("%s: %q", name, titles)
		}
		if c.blind != (lost > 0) || lost > 2700*20 || watched+lost != uint64(c.end)-1 {
			t.Errorf("%s: %d s watched, %d s not", name, watched, lost)
		}
	}
}
