// SPDX-License-Identifier: Apache-2.0

// Package metrictest compares docs/metrics.md with the tables of metrictable.
package metrictest

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

// CheckPage fails the test unless the page has exactly these rows as one table. With -args update it writes them to the page instead. The
// table is found by the metric of its first row.
func CheckPage(t *testing.T, page string, rows []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	name, _, _ := strings.Cut(strings.TrimPrefix(rows[0], "| `"), "`")
	from := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "| `"+name+"` |") })
	if from < 0 {
		t.Fatalf("%s has no table that starts with %s", page, name)
	}
	to := from
	for to < len(lines) && strings.HasPrefix(lines[to], "| `") {
		to++
	}
	if slices.Equal(lines[from:to], rows) {
		return
	}
	if slices.Contains(flag.Args(), "update") {
		lines = slices.Replace(lines, from, to, rows...)
		if err := os.WriteFile(page, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, l := range rows {
		if !slices.Contains(lines[from:to], l) {
			t.Errorf("missing in the page: %s", l)
		}
	}
	for _, l := range lines[from:to] {
		if !slices.Contains(rows, l) {
			t.Errorf("not in the program: %s", l)
		}
	}
	t.Errorf("%s is not current: run make golden", page)
}
