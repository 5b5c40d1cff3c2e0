// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

const (
	maxFunctionLines = 80
	maxFileLines     = 500
)

// captureClock lists the packages that may use no clock but the capture clock, so that a replay gives the alerts of a live run.
func captureClock() []string {
	return []string{"packet", "session", "dissect", "fingerprint", "device", "contract", "detect", "alert"}
}

// source is one Go file of the repository.
type source struct {
	path string // from the root, with slashes
	text []byte
	set  *token.FileSet
	file *ast.File
}

func sources(t *testing.T) (all []source) {
	t.Helper()
	root := testneed.Root(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s := source{text: text, set: token.NewFileSet()}
		if s.file, err = parser.ParseFile(s.set, path, text, parser.SkipObjectResolution|parser.ParseComments); err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		s.path = filepath.ToSlash(rel)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSourceRules(t *testing.T) {
	for _, s := range sources(t) {
		if !bytes.HasPrefix(s.text, []byte("// SPDX-License-Identifier: Apache-2.0\n")) && !ast.IsGenerated(s.file) {
			t.Errorf("%s: no license line at the top", s.path)
		}
		if n := bytes.Count(s.text, []byte("\n")); n > maxFileLines && !ast.IsGenerated(s.file) {
			t.Errorf("%s: %d lines, more than %d", s.path, n, maxFileLines)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				checkFunction(t, s, f)
			}
		}
	}
}

// TestKernelSourceRules checks the license of the BPF programs, which the kernel requires, and their size.
func TestKernelSourceRules(t *testing.T) {
	for _, pattern := range []string{"*.c", "*.h"} {
		paths, err := filepath.Glob(filepath.Join(testneed.Root(t), "bpf", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			head := strings.TrimPrefix(string(text), "//go:build ignore\n\n")
			if !strings.HasPrefix(head, "/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */\n") {
				t.Errorf("%s: no license line at the top", filepath.Base(path))
			}
			if n := bytes.Count(text, []byte("\n")); n > maxFileLines {
				t.Errorf("%s: %d lines, more than %d", filepath.Base(path), n, maxFileLines)
			}
		}
	}
}

func checkFunction(t *testing.T, s source, f *ast.FuncDecl) {
	t.Helper()
	from, to := s.set.Position(f.Pos()).Line, s.set.Position(f.End()).Line
	if n := to - from + 1 - tableLines(s, f); n > maxFunctionLines {
		t.Errorf("%s:%d: %s has %d lines, more than %d", s.path, from, f.Name.Name, n, maxFunctionLines)
	}
	if f.Name.Name == "init" && f.Recv == nil {
		t.Errorf("%s:%d: init functions are not allowed: they hide what a package does", s.path, from)
	}
}

// tableLines returns the lines of the composite literals in a function: a table is data and may be long.
func tableLines(s source, f *ast.FuncDecl) (lines int) {
	ast.Inspect(f, func(n ast.Node) bool {
		c, ok := n.(*ast.CompositeLit)
		if ok {
			lines += s.set.Position(c.End()).Line - s.set.Position(c.Pos()).Line
		}
		return !ok
	})
	return lines
}

func TestOnlyTheCaptureClock(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_test.go") || !underCaptureClock(s.path) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				switch sel.Sel.Name {
				case "Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep":
					t.Errorf("%s: time.%s is not allowed here: use the capture clock", s.set.Position(n.Pos()), sel.Sel.Name)
				}
			}
			return true
		})
	}
}

func underCaptureClock(path string) bool {
	for _, p := range captureClock() {
		if strings.HasPrefix(path, "sensor/internal/"+p+"/") {
			return true
		}
	}
	return false
}
