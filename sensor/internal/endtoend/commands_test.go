// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/wording"
	"stillwatch/internal/testneed"
)

// TestCommandsInTheDocumentationRun runs the commands on captures and inventories that the documentation shows, with the files of a story.
func TestCommandsInTheDocumentationRun(t *testing.T) {
	root, ran := testneed.Root(t), 0
	story := filepath.Join(root, "scripts", "stories", "testdata", "S1")
	elsewhere := []string{"run", "--iface", "--kafka", "--publish-config", "--config", "--policy", "--what-if", "--explain", "--follow", "-", "CAPTURE..."}
	for _, c := range wording.Commands(t, "stillwatch-sensor") {
		runs := len(c.Args) > 1 && (slices.Contains([]string{"replay", "devices", "report", "doctor"}, c.Args[0]) || c.Args[0] == "inventory" && c.Args[1] == "suggest")
		if !runs || c.Inline || slices.ContainsFunc(c.Args, func(a string) bool { return slices.Contains(elsewhere, a) }) {
			continue
		}
		ran++
		t.Run(c.Where, func(t *testing.T) {
			dir := t.TempDir()
			link := func(from, to string) {
				if _, err := os.Lstat(filepath.Join(dir, to)); err == nil {
					return
				}
				if err := os.Symlink(from, filepath.Join(dir, to)); err != nil {
					t.Fatal(err)
				}
			}
			link(filepath.Join(root, "scripts"), "scripts")
			for i, arg := range c.Args {
				switch base := filepath.Base(arg); {
				case base != arg:
				case strings.Contains(arg, ".pcap"): // a pattern needs a file that it matches
					link(filepath.Join(story, "input.pcap"), strings.ReplaceAll(arg, "*", "1"))
				case arg == "captures":
					link(story, arg)
				case i > 0 && c.Args[i-1] == "--inventory":
					link(filepath.Join(story, "inventory.yaml"), arg)
				}
			}
			cmd := sensor(t, c.Args...)
			cmd.Dir = dir
			if r := finish(t, cmd); r.status != exitOK && (c.Args[0] != "doctor" || r.status == exitUsage) { // the capture of the story is no whole mirror
				t.Errorf("%s: exit status %d: %s", strings.Join(c.Args, " "), r.status, r.err)
			}
		})
	}
	if ran < 10 {
		t.Errorf("only %d commands were run", ran)
	}
}
