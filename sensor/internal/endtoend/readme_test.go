// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

var screenBlock = regexp.MustCompile(`(?s)<!-- screen (\w+) (\w+) ?(\S*) -->\n(.*?)<!-- end -->`)

// TestReadmeShowsWhatTheProgramPrints replays the stories in the README and compares the output with its screens.
func TestReadmeShowsWhatTheProgramPrints(t *testing.T) {
	path := filepath.Join(testneed.Root(t), "README.md")
	text := read(t, path)
	fresh := screenBlock.ReplaceAllStringFunc(text, func(block string) string {
		m := screenBlock.FindStringSubmatch(block)
		head, _, _ := strings.Cut(block, "\n")
		return head + "\n```\n" + shown(t, m[1], m[2], m[3]) + "```\n<!-- end -->"
	})
	if fresh == text {
		return
	}
	if slices.Contains(flag.Args(), "update") {
		if err := os.WriteFile(path, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("README.md does not show what the program prints (make golden updates it): %s", difference(text, fresh))
}

// shown returns what the screen shows of a story: the first card of a rule with about in its title; for the chain rule also the head of the
// incident and the summary.
func shown(t *testing.T, story, rule, about string) string {
	t.Helper()
	dir := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", story)
	r := onTerminal(t, 100, nil, "replay", "--no-color", "--inventory", filepath.Join(dir, "inventory.yaml"), filepath.Join(dir, "input.pcap"))
	if r.status != exitOK {
		t.Fatalf("%s: exit status %d: %s", story, r.status, r.out)
	}
	screen := r.out[strings.LastIndex(r.out, eraseLine)+len(eraseLine):]
	incident, cards, _ := strings.Cut(screen, "\n\n")
	card := regexp.MustCompile(`(?m)^── \w+  ` + rule + ` .*\n.*` + regexp.QuoteMeta(about) + `(?s:.*?)\n\n`).FindString(cards + "\n\n")
	if card == "" {
		t.Fatalf("%s: no card of %s on the screen:\n%s", story, rule, screen)
	}
	if rule != chainRule {
		return strings.TrimSuffix(card, "\n")
	}
	summary := screen[strings.LastIndex(screen, "\n\n")+2:]
	summary = regexp.MustCompile(`(?m)^ speed .*\n`).ReplaceAllString(summary, "")
	return incident + "\n\n" + card + "[…]\n\n" + summary
}
