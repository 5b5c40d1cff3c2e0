// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"maps"
	"path/filepath"
	"testing"

	"stillwatch/internal/testlab/distort"
	"stillwatch/internal/testneed"
)

// TestStoriesThroughABadMirror replays each story with the faults of a mirror port, and compares alerts and counts with those of the story
// itself. docs/robustness.md has the figures.
func TestStoriesThroughABadMirror(t *testing.T) {
	program, err := builtProgram()
	if err != nil {
		t.Fatal(err)
	}
	stories, err := filepath.Glob(filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", "*"))
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	sums := map[string]*distort.Difference{}
	for _, dir := range stories {
		c, err := distort.Read(filepath.Join(dir, "input.pcap"))
		if err != nil {
			t.Fatal(err)
		}
		args := []string{"--inventory", filepath.Join(dir, "inventory.yaml")}
		clean, err := distort.Replay(program, c, args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range distort.All() {
			faulty, err := distort.Replay(program, fault.Apply(c, 1), args...)
			if err != nil {
				t.Fatal(err)
			}
			if sums[fault.Name] == nil {
				sums[fault.Name] = &distort.Difference{}
			}
			sums[fault.Name].Add(distort.Compare(clean, faulty))
			if fault.Twice {
				again, err := distort.Replay(program, fault.Apply(c, 1), append(args, "--shards", "4")...)
				if err != nil {
					t.Fatal(err)
				}
				if !maps.Equal(again.Sessions, faulty.Sessions) || !maps.Equal(again.Alerts, faulty.Alerts) {
					t.Errorf("%s, %s: 4 shards give other counts or alerts", dir, fault.Name)
				}
			}
		}
	}
	for _, fault := range distort.All() {
		d := sums[fault.Name]
		if d.Either == 0 || d.Packets.Whole == 0 {
			t.Fatalf("%s: nothing was compared", fault.Name)
		}
		if fault.Twice && d.Packets.Of() > 0.005 || fault.Twice && d.Bytes.Of() > 0.005 {
			t.Errorf("%s: counts differ by %.2f %% of the packets and %.2f %% of the bytes, want at most 0.5 %%", fault.Name, 100*d.Packets.Of(), 100*d.Bytes.Of())
		}
		for _, r := range d.NewHigh() {
			t.Errorf("%s: %+v", fault.Name, r)
		}
		if j := d.Jaccard(); j < fault.Jaccard {
			t.Errorf("%s: Jaccard index %.2f of the alerts, want at least %.2f; missing %v, extra %v", fault.Name, j, fault.Jaccard, d.Missing, d.Extra)
		}
	}
}
