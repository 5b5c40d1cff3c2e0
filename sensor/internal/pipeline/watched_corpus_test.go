// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
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
		loud(t, path, frames(t, path)/2, func(a *schemas.Alert) { t.Errorf("%s with a pause: %s %s %s", name, a.Rule.ID, a.Severity, a.Title) })
	}
}

func open(t *testing.T, path string) capture.Source {
	t.Helper()
	src, err := capture.OpenFiles([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// frames counts the frames of a capture.
func frames(t *testing.T, path string) (n int) {
	t.Helper()
	src := open(t, path)
	defer src.Close()
	for b := new(capture.Batch); ; {
		err := src.Next(b)
		if n += len(b.Frames); err == io.EOF {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// loud replays a capture with a pause of nine days before frame number from on, and reports alerts of severity high and above.
func loud(t *testing.T, path string, from int, tell func(*schemas.Alert)) {
	t.Helper()
	src := open(t, path)
	defer src.Close()
	out := pipeline.Output{Alert: func(a *schemas.Alert) error {
		if a.Severity == "high" || a.Severity == "critical" {
			tell(a)
		}
		return nil
	}}
	cut := &paused{Source: src, from: from, by: 9 * int64(day)}
	r, err := pipeline.New(pipeline.Config{Settings: config.Defaults(), Replay: true, Shards: 1}, cut, out)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}
