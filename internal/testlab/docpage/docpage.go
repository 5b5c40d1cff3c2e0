// SPDX-License-Identifier: Apache-2.0

// Package docpage compares parts of documentation pages with what the programs do.
package docpage

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// Check fails the test unless a page below docs has content between <!-- begin: NAME --> and <!-- end: NAME -->. With -args update it writes the
// content to the page instead.
func Check(t *testing.T, page, name, content string) {
	t.Helper()
	path := filepath.Join(testneed.Root(t), "docs", filepath.FromSlash(page))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin: "+name+" -->\n", "<!-- end: "+name+" -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	was, after, ok2 := strings.Cut(rest, end)
	switch {
	case !ok || !ok2:
		t.Fatalf("%s has no %s and %s", path, begin, end)
	case was == content:
	case slices.Contains(flag.Args(), "update"):
		if err := os.WriteFile(path, []byte(before+begin+content+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not current, run make golden: %s", path, difference(was, content))
	}
}

// difference describes the first line that differs.
func difference(was, content string) string {
	a, b := strings.Split(was, "\n"), strings.Split(content, "\n")
	i := 0
	for i < len(a)-1 && i < len(b)-1 && a[i] == b[i] {
		i++
	}
	return "it has " + a[i] + ", now it is " + b[i]
}
