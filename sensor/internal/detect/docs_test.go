// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/detections")

const docs = "../../../docs/detections"

// checkPage compares the generated parts of the page of a rule with the code: parameters, techniques, and as the example the last alert
// that the rule raises in a scene.
func checkPage(t *testing.T, id string, scene func(t *testing.T) *stage) {
	t.Helper()
	page := readPage(t, id+".md")
	i := slices.IndexFunc(detect.Rules(), func(r detect.Rule) bool { return r.ID == id })
	if i < 0 {
		t.Fatalf("there is no rule %s", id)
	}
	fresh := between(t, page, "parameters", parameters(t, id, comments(t)))
	fresh = between(t, fresh, "attack", attack(detect.Rules()[i]))
	fresh = between(t, fresh, "example", example(t, id, scene))
	compare(t, id+".md", page, fresh)
}

// TestEveryRuleHasAPage checks that each rule has a page with an example, and a line in the table of the pages.
func TestEveryRuleHasAPage(t *testing.T) {
	var table strings.Builder
	table.WriteString("| rule | kind | reliability | reports |\n|---|---|---|---|\n")
	for _, r := range detect.Rules() {
		page := readPage(t, r.ID+".md")
		if !strings.HasPrefix(page, "# "+r.ID+": "+r.Name+"\n\n") {
			t.Fatalf("%s.md does not begin with the name of the rule", r.ID)
		}
		if !strings.Contains(page, `"id": "`+r.ID+`"`) {
			t.Errorf("%s.md has no example: call checkPage in the test of the detector", r.ID)
		}
		first, _, _ := strings.Cut(strings.SplitN(page, "\n", 4)[2], ". ")
		fmt.Fprintf(&table, "| [%s](%s.md) %s | `%s` | %v | %s |\n", r.ID, r.ID, r.Name, r.Kind, r.Reliability, strings.TrimSuffix(first, "."))
	}
	readme := readPage(t, "README.md")
	compare(t, "README.md", readme, between(t, readme, "rules", table.String()))
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docs, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// example returns the last alert of a rule in its scene, indented.
func example(t *testing.T, id string, scene func(t *testing.T) *stage) string {
	t.Helper()
	s := scene(t)
	s.m.Close(s.c.Now, &s.c)
	var last *schemas.Alert
	for _, a := range s.got {
		line, err := schemas.AppendAlert(nil, a)
		if err == nil {
			err = schemas.Validate(schemas.KindAlert, line)
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", a.Rule.ID, err, line)
		}
		if a.Rule.ID == id && a.AbsorbedBy == "" {
			last = a
		}
	}
	if last == nil {
		t.Fatalf("%s raises no alert in its scene", id)
	}
	line, _ := schemas.AppendAlert(nil, last)
	var b bytes.Buffer
	if err := json.Indent(&b, line, "", "  "); err != nil {
		t.Fatal(err)
	}
	return "```json\n" + b.String() + "\n```\n"
}

// comments reads the comment of each field of the parameter structs from the source of the detectors.
func comments(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no source of the detectors", err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			ts, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := ts.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					for _, name := range field.Names {
						out[ts.Name.Name+"."+name.Name] = strings.TrimSpace(field.Comment.Text())
					}
				}
			}
			return true
		})
	}
	return out
}

func parameters(t *testing.T, id string, comments map[string]string) string {
	p := detect.Parameters()[id]
	if p == nil {
		return "None; the rule is applied to what the others find.\n"
	}
	var b strings.Builder
	b.WriteString("| parameter | default | meaning |\n|---|---|---|\n")
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		text := comments[v.Type().Name()+"."+f.Name]
		if text == "" || f.Tag.Get("yaml") == "" {
			t.Errorf("%s: %s has no comment or no yaml tag", id, f.Name)
		}
		value, err := json.Marshal(v.Field(i).Interface())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", f.Tag.Get("yaml"), strings.ReplaceAll(string(value), ",", ", "), text)
	}
	return b.String()
}

func attack(r detect.Rule) string {
	if len(r.Attack) == 0 {
		return "Those of its findings.\n"
	}
	var b strings.Builder
	b.WriteString("| domain | tactic | technique |\n|---|---|---|\n")
	for _, a := range r.Attack {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a.Domain, a.Tactic, a.Technique)
	}
	return b.String()
}

// between replaces the text between the marks of a page.
func between(t *testing.T, page, mark, text string) string {
	t.Helper()
	begin, end := "<!-- begin: "+mark+" -->\n", "<!-- end: "+mark+" -->"
	i, j := strings.Index(page, begin), strings.Index(page, end)
	if i < 0 || j < i {
		t.Fatalf("the page has no marks for %s", mark)
	}
	return page[:i+len(begin)] + text + page[j:]
}

// compare reports a page that differs from the code, or rewrites it with -update.
func compare(t *testing.T, name, was, is string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join(docs, name), []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if was != is {
		t.Errorf("%s does not match the code; run go test ./sensor/internal/detect -update", name)
	}
}
