// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/pipeline"
)

// paused returns the frames of a source, those from number from on so much later.
type paused struct {
	capture.Source
	from, seen int
	by         int64
}

func (p *paused) Next(b *capture.Batch) error {
	err := p.Source.Next(b)
	for i := range b.Frames {
		if p.seen++; p.seen > p.from {
			b.Frames[i].Time += p.by
		}
	}
	return err
}

// TestBenignCapturesWithAPause cuts each benign capture of the corpus in two, with a pause of nine days in between: nothing of it is an
// alert of severity high.
func TestBenignCapturesWithAPause(t *testing.T) {
	corpus := testneed.Corpus(t)
	f, err := os.Open(filepath.Join(corpus, "truth", "benign.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	captures := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row struct{ Capture, Scope string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		if row.Scope == "capture" {
			captures[row.Capture] = true
		}
	}
	if len(captures) < 100 {
		t.Fatalf("%d benign captures", len(captures))
	}
	for name := range captures {
		path := filepath.Join(corpus, "captures", name)
		n := loud(t, path, 0, nil)
		loud(t, path, n/2, func(a *schemas.Alert) { t.Errorf("%s with a pause: %s %s %s", name, a.Rule.ID, a.Severity, a.Title) })
	}
}

// loud replays a capture with a pause of nine days before frame number from on, reports alerts of severity high and above, and gives the
// number of frames.
func loud(t *testing.T, path string, from int, tell func(*schemas.Alert)) int {
	t.Helper()
	src, err := capture.OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	cut := &paused{Source: src, from: from, by: 9 * int64(day)}
	out := pipeline.Output{}
	if tell != nil {
		out.Alert = func(a *schemas.Alert) error {
			if a.Severity == "high" || a.Severity == "critical" {
				tell(a)
			}
			return nil
		}
	}
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Replay: true, Shards: 1}, cut, out)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return cut.seen
}
