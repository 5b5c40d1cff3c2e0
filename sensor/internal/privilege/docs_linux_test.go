// SPDX-License-Identifier: Apache-2.0

package privilege

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// TestPageListsTheCalls holds docs/deploy/privileges.md and the filter to each other.
func TestPageListsTheCalls(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "deploy", "privileges.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(b), "## System calls\n")
	part, _, _ = strings.Cut(part, "\n## ")
	var rows []string
	for line := range strings.Lines(part) {
		if strings.HasSuffix(line, "` |\n") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	var want []string
	named := map[string]bool{}
	for _, g := range append(Calls(), Conditional()...) {
		want = append(want, "| "+g.Why+" | `"+strings.Join(g.Calls, "` `")+"` |")
		for _, c := range g.Calls {
			if named[c] {
				t.Errorf("%s is listed twice", c)
			}
			named[c] = true
		}
	}
	if got := strings.Join(rows, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the page has\n%s\nthe program\n%s", got, strings.Join(want, "\n"))
	}
	for _, c := range conditions(Config{Maps: true, Return: true}) {
		if !named[c.Name] {
			t.Errorf("%s is allowed and not listed", c.Name)
		}
	}
}
