// SPDX-License-Identifier: Apache-2.0

package screen

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/progress"
	"stillwatch/internal/testlab/story"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

func TestView(t *testing.T) {
	var b strings.Builder
	v := NewView(&b)
	v.Step(progress.Step{Time: time.Unix(0, 0), Who: "box", Text: strings.Repeat("word ", 20)})
	var a schemas.Alert
	a.Rule.ID, a.Rule.Kind, a.Severity, a.Revision, a.Title = "D01", "outbound", "high", 1, "box opened a door"
	v.Alert(a, false)
	v.Alert(a, false) // same kind: counted only
	v.Alert(a, true)  // it meets an expectation
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%q", lines)
	}
	for _, l := range lines[:2] {
		if len(l) > column {
			t.Errorf("a step runs into the alerts: %q", l)
		}
	}
	for _, l := range lines[2:] {
		if !strings.HasPrefix(l, strings.Repeat(" ", column)) || !strings.HasSuffix(l, "HIGH          D01 box opened a door") {
			t.Errorf("%q", l)
		}
	}
	if got := v.Summary(); got != "3 alerts in all.\n" {
		t.Error(got)
	}
}

func TestTable(t *testing.T) {
	at := time.Unix(1000, 0)
	r := []story.Result{{Story: "S1", Step: at, Came: at.Add(1500 * time.Millisecond), Severity: "high", Expectation: story.Expectation{Rule: "D01", Device: "box", Title: "opened"}},
		{Story: "S1", Step: at, Expectation: story.Expectation{Rule: "D42", Device: "box", Title: "story"}}}
	got := Table(r, false)
	for _, want := range []string{"high            1.500 s\n", "missing", "1 of 2 expected alerts were raised"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestPictureInDocs checks that docs/lab.md has the current diagram.
func TestPictureInDocs(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "lab.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Trim(Picture("direct", false), "\n"); !strings.Contains(string(doc), want) {
		t.Errorf("docs/lab.md has not\n%s", want)
	}
}
