// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// replaceTable replaces what stands between the markers of a table in a page.
func replaceTable(page, name, fresh string) (string, error) {
	begin, end := "<!-- begin: "+name+" -->\n", "<!-- end: "+name+" -->"
	before, rest, ok := strings.Cut(page, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return "", errors.New("it has no place for the table " + name)
	}
	return before + begin + fresh + end + after, nil
}

// columns are the columns of a table after those of the condition.
var columns = map[string][]struct {
	head string
	cell func(*result) string
}{
	"stories": {
		{"expected alerts raised", func(r *result) string { return share(r.byRule, r.expected) }},
		{"attacks with a high or critical alert", func(r *result) string { return fmt.Sprintf("%d of %d", r.loud, r.attacks) }},
		{"time to detect, median", func(r *result) string { return seconds(quantile(r.delays, 0.5)) }},
		{"90 %", func(r *result) string { return seconds(quantile(r.delays, 0.9)) }},
		{"longest", func(r *result) string { return seconds(quantile(r.delays, 1)) }},
		{"false alerts per device-day: low", falses(1)}, {"medium", falses(2)}, {"high", falses(3)}, {"critical", falses(4)},
	},
	"evasions": {
		{"reported by its rule", func(r *result) string { return share(r.byRule, r.expected) }},
		{"by any rule", func(r *result) string { return share(r.byAny, r.expected) }},
	},
	"public": {
		{"malicious sessions or devices reported", func(r *result) string { return share(r.byRule, r.expected) }},
		{"false alerts per device-day: low", falses(1)}, {"medium", falses(2)}, {"high", falses(3)}, {"critical", falses(4)},
	},
}

// table returns the table of a set of captures, and which alerts are missing in the first condition.
func table(name string, results []result) string {
	var b strings.Builder
	b.WriteString("| capture | inventory |")
	for _, c := range columns[name] {
		b.WriteString(" " + c.head + " |")
	}
	b.WriteString("\n|" + strings.Repeat("---|", 2+len(columns[name])) + "\n")
	for i := range results {
		r := &results[i]
		fmt.Fprintf(&b, "| %s | %s |", r.change, with(r.inventory))
		for _, c := range columns[name] {
			b.WriteString(" " + c.cell(r) + " |")
		}
		b.WriteString("\n")
	}
	if name == "stories" && len(results) > 0 && len(results[0].missed) > 0 {
		b.WriteString("\nExpected in the unchanged captures with the inventory, and not raised: " + strings.Join(results[0].missed, ", ") + ".\n")
	}
	return b.String()
}

func with(inventory bool) string {
	if inventory {
		return "with"
	}
	return "without"
}

func share(n, of int) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%d of %d (%.0f %%)", n, of, 100*float64(n)/float64(of))
}

func seconds(s float64) string { return fmt.Sprintf("%.0f s", s) }

func falses(severity int) func(*result) string {
	return func(r *result) string {
		if r.days == 0 {
			return "–"
		}
		return fmt.Sprintf("%.3f", float64(r.false[severity])/r.days)
	}
}

// quantile returns the smallest value that at least the share q of the values does not exceed; 0 if there are none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, min(len(sorted)-1, int(q*float64(len(sorted))+0.999999)-1))]
}
