// SPDX-License-Identifier: Apache-2.0

package customrule

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// TestRulesPageIsCurrent compares the tables of docs/rules.md with the types. With -args update it writes them.
func TestRulesPageIsCurrent(t *testing.T) {
	page := filepath.Join(testneed.Root(t), "docs", "rules.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- fields -->\n", "<!-- end of fields -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no %s and %s", page, begin, end)
	}
	want := before + begin + markdown() + end + after
	switch {
	case want == string(text):
	case slices.Contains(flag.Args(), "update"):
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not current: run make golden", page)
	}
}

// markdown returns the tables of the kinds of events and of the fields.
func markdown() string {
	var b strings.Builder
	b.WriteString("| `on` | event | fields |\n|---|---|---|\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| `%s` | %s | `%s` |\n", k.on, k.doc, strings.Join(groupsOf(k.on), "`, `"))
	}
	b.WriteString("\n| field | type | meaning |\n|---|---|---|\n")
	types := map[string]string{"string": "text", "int": "whole number", "float64": "number", "bool": "true or false", "[]string": "list of texts"}
	for _, g := range groups() {
		for i := range g.typ.NumField() {
			f := g.typ.Field(i)
			fmt.Fprintf(&b, "| `%s.%s` | %s | %s |\n", g.name, f.Tag.Get("expr"), types[f.Type.String()], f.Tag.Get("doc"))
		}
	}
	return b.String()
}

// TestEveryFieldIsDescribed: each field has a name, a type that expressions know, and a meaning.
func TestEveryFieldIsDescribed(t *testing.T) {
	for _, g := range groups() {
		for i := range g.typ.NumField() {
			f := g.typ.Field(i)
			kind := map[string]bool{"string": true, "int": true, "float64": true, "bool": true, "[]string": true}[f.Type.String()]
			if f.Tag.Get("expr") == "" || f.Tag.Get("doc") == "" || !kind {
				t.Errorf("%s.%s: tags %q, type %s", g.name, f.Name, f.Tag, f.Type)
			}
		}
	}
}
