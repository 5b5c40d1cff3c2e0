// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// TestStoriesAreToldInTime holds the time from the last packet that an alert speaks of to its first revision: at most one tick, a second,
// beyond the time in which an attempt may still be answered, and writes down the longest of each rule (-args update).
func TestStoriesAreToldInTime(t *testing.T) {
	const unanswered = 70 * time.Second // see session.DefaultConfig
	windows := map[string]time.Duration{"D06": unanswered, "D07": unanswered, "D13": unanswered}
	root := testneed.Root(t)
	var table strings.Builder
	table.WriteString("| story | rule | longest time to detect |\n|---|---|---|\n")
	for _, name := range []string{"S1", "S2", "S3", "S4", "S5"} {
		dir := filepath.Join(root, "scripts", "stories", "testdata", name)
		r := run1(t, "replay", "--log-level", "error", "--inventory", filepath.Join(dir, "inventory.yaml"), filepath.Join(dir, "input.pcap"))
		if r.status != exitOK {
			t.Fatalf("%s: exit status %d: %s", name, r.status, r.err)
		}
		longest := map[string]time.Duration{}
		for text := range strings.Lines(r.out) {
			var a schemas.Alert
			if err := json.Unmarshal([]byte(text), &a); err != nil {
				t.Fatal(err)
			}
			if a.Revision != 1 || a.Rule.ID == chainRule { // a chain is told with the alert that completes it
				continue
			}
			took := time.Duration(a.Time.DetectedAt - a.Time.EventEnd)
			if took > windows[a.Rule.ID]+time.Second {
				t.Errorf("%s: %s was told %v after its last packet: %s", name, a.Rule.ID, took, a.Title)
			}
			longest[a.Rule.ID] = max(longest[a.Rule.ID], took)
		}
		for _, rule := range rules() {
			if took, ok := longest[rule]; ok {
				fmt.Fprintf(&table, "| %s | [%s](%s.md) | %.1f s |\n", name, rule, rule, took.Seconds())
			}
		}
	}
	path := filepath.Join(root, "docs", "detections", "README.md")
	const begin, end = "<!-- begin: time to detect -->\n", "<!-- end: time to detect -->"
	text := read(t, path)
	before, rest, ok := strings.Cut(text, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", path)
	}
	fresh := before + begin + table.String() + end + after
	if slices.Contains(flag.Args(), "update") {
		if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text != fresh {
		t.Errorf("%s: the time to detect is another (make golden writes it again): %s", path, difference(fresh, text))
	}
}
