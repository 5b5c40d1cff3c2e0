// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// TestArchitectureNamesEveryPackage compares the table of packages in docs/architecture.md with the packages that exist.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := packagesOf(string(text))
	var exist []string
	for _, p := range goList(t, "./...") {
		name := strings.TrimPrefix(p.ImportPath, "stillwatch/")
		exist = append(exist, name)
		// The commands and the test infrastructure have a row each; docs/development.md has their packages.
		if below := strings.HasPrefix(name, "scripts/") || strings.HasPrefix(name, "internal/testlab/"); !below && !slices.Contains(named, name) {
			t.Errorf("docs/architecture.md does not name %s", name)
		}
	}
	for _, name := range named {
		if !slices.ContainsFunc(exist, func(p string) bool { return p == name || strings.HasPrefix(p, name+"/") }) {
			t.Errorf("docs/architecture.md names %s, which does not exist", name)
		}
	}
}

// packagesOf returns the packages in the first column of the table below the heading Packages. In a name, "…" is the program's internal folder
// above; a name without it is beside the one before.
func packagesOf(page string) (named []string) {
	_, page, _ = strings.Cut(page, "\n## Packages\n")
	page, _, _ = strings.Cut(page, "\n## ")
	name, root := regexp.MustCompile("`([^`]+)`"), ""
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) < 2 {
			continue
		}
		beside := ""
		for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
			full := m[1]
			if rest, ok := strings.CutPrefix(full, "…/"); ok {
				full = root + "/internal/" + rest
			} else if beside != "" && !strings.HasPrefix(full, "internal/") {
				full = path.Join(path.Dir(beside), full)
			} else {
				root, _, _ = strings.Cut(full, "/")
			}
			beside = full
			named = append(named, full)
		}
	}
	return named
}

// TestExportedNamesAreDocumented requires a comment at 97 of 100 exported names outside of tests: functions, methods, types, constants and
// variables. The comment of a group of constants or variables counts for each, and so does one at the end of a line. A method of a type that
// is not exported is described by its interface.
func TestExportedNamesAreDocumented(t *testing.T) {
	documented, missing := 0, []string(nil)
	note := func(s *source, name *ast.Ident, comments ...*ast.CommentGroup) {
		switch {
		case !name.IsExported():
		case slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c.Text() != "" }):
			documented++
		default:
			missing = append(missing, s.path+": "+name.Name)
		}
	}
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_test.go") || ast.IsGenerated(s.file) {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || ast.IsExported(receiver(d)) {
					note(&s, d.Name, d.Doc)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						note(&s, spec.Name, d.Doc, spec.Doc, spec.Comment)
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							note(&s, name, d.Doc, spec.Doc, spec.Comment)
						}
					}
				}
			}
		}
	}
	share := 100 * float64(documented) / float64(documented+len(missing))
	t.Logf("%d of %d exported names are documented: %.1f %%", documented, documented+len(missing), share)
	if share < 97 {
		t.Errorf("%.1f %% of the exported names are documented; these are not:\n%s", share, strings.Join(missing, "\n"))
	}
}

// receiver returns the name of the type of a method.
func receiver(f *ast.FuncDecl) string {
	typ := f.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}
