// SPDX-License-Identifier: Apache-2.0

// Command prose reports wording that scripts/prose.txt rules out. It checks documentation, help texts and console templates; rules that are
// marked `go` also apply to comments in Go files and to string literals outside tests. The exit status is 1 if anything is found.
//
//	go run ./scripts/prose
package main

import (
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"stillwatch/internal/testlab/wording"
)

func main() {
	found, err := run()
	for _, f := range found {
		fmt.Println(f)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(2)
	case len(found) > 0:
		os.Exit(1)
	}
	fmt.Println("prose: nothing found")
}

// run checks every file of the repository.
func run() (found []string, err error) {
	list, err := os.ReadFile(wording.List)
	if err != nil {
		return nil, err
	}
	rules, err := wording.Parse(string(list))
	if err != nil {
		return nil, err
	}
	files, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	for name := range strings.Lines(string(files)) {
		name = strings.TrimSuffix(name, "\n")
		isGo := strings.HasSuffix(name, ".go")
		if !isGo && !isText(name) {
			continue
		}
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err != nil {
			return nil, err
		}
		pieces := []piece{{line: 1, text: string(b)}}
		if isGo {
			pieces = goText(name, b)
		}
		found = append(found, check(name, pieces, rules, isGo)...)
	}
	return found, nil
}

// isText reports whether people read the file. The style guide and the list of changes quote words that are ruled out.
func isText(name string) bool {
	if name == "docs/style.md" || name == "CHANGELOG.md" {
		return false
	}
	return filepath.Ext(name) == ".md" || strings.Contains(name, "/testdata/help/") || strings.HasPrefix(name, "collector/internal/console/templates/")
}

// piece is text that starts at a line of a file.
type piece struct {
	line int
	text string
}

// goText returns the comments of a Go file, each block of lines as one piece, and its string literals unless it is a test.
func goText(name string, src []byte) (pieces []piece) {
	fset := token.NewFileSet()
	file := fset.AddFile(name, -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, func(token.Position, string) {}, scanner.ScanComments)
	end := 0 // last line of the comment that may continue
	for {
		pos, tok, lit := s.Scan()
		switch line := file.Line(pos); tok {
		case token.EOF:
			return pieces
		case token.COMMENT:
			text := strings.TrimPrefix(lit, "//")
			if last := len(pieces) - 1; end > 0 && line == end+1 {
				pieces[last].text += "\n" + text
			} else {
				pieces = append(pieces, piece{line, text})
			}
			end = line + strings.Count(lit, "\n")
		case token.STRING:
			end = 0
			if !strings.HasSuffix(name, "_test.go") {
				pieces = append(pieces, piece{line, lit})
			}
		}
	}
}

// check applies the rules to the text of a file.
func check(name string, pieces []piece, rules []wording.Rule, isGo bool) (found []string) {
	for _, p := range pieces {
		for _, r := range rules {
			if isGo && !r.InGo {
				continue
			}
			for _, m := range r.Find(p.text) {
				found = append(found, fmt.Sprintf("prose: %s:%d: %q -> %s", name, p.line+m.Line, m.Text, m.Instead))
			}
		}
	}
	return found
}
