// SPDX-License-Identifier: Apache-2.0

package customrule

import (
	"fmt"
	"strings"
	"testing"

	"stillwatch/internal/testlab/docpage"
)

// TestRulesPageIsCurrent compares the tables of docs/rules.md with the types. With -args update it writes them.
func TestRulesPageIsCurrent(t *testing.T) { docpage.Check(t, "rules.md", "fields", markdown()) }

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
		for _, f := range g.fields() {
			fmt.Fprintf(&b, "| `%s.%s` | %s | %s |\n", g.name, f.Tag.Get("expr"), types[f.Type.String()], f.Tag.Get("doc"))
		}
	}
	return b.String()
}

// TestEveryFieldIsDescribed: each field has a name, a type that expressions know, and a meaning.
func TestEveryFieldIsDescribed(t *testing.T) {
	for _, g := range groups() {
		for _, f := range g.fields() {
			kind := map[string]bool{"string": true, "int": true, "float64": true, "bool": true, "[]string": true}[f.Type.String()]
			if f.Tag.Get("expr") == "" || f.Tag.Get("doc") == "" || !kind {
				t.Errorf("%s.%s: tags %q, type %s", g.name, f.Name, f.Tag, f.Type)
			}
		}
	}
}
