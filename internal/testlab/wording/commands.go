// SPDX-License-Identifier: Apache-2.0

package wording

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// Command is a command line that the documentation shows.
type Command struct {
	Where  string // file and line
	Args   []string
	Inline bool // it is part of a sentence, which may leave out arguments
}

var (
	inlineCode = regexp.MustCompile("`([^`]+)`")
	redirected = regexp.MustCompile(`\s*\d?>+\s*\S+`)
	word       = regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`)
)

// Commands returns the command lines of a program in README.md, SECURITY.md, CONTRIBUTING.md and docs.
func Commands(t testing.TB, program string) (all []Command) {
	t.Helper()
	root := testneed.Root(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() && rel != "." && rel != "docs" && !strings.HasPrefix(rel, "docs"+string(filepath.Separator)) {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" || d.Name() == "CHANGELOG.md" {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all = append(all, commandsOf(rel, string(b), program)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("the documentation shows no command line of %s", program)
	}
	return all
}

func commandsOf(file, page, program string) (all []Command) {
	fenced, n := false, 0
	for line := range strings.Lines(page) {
		n++
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		where := fmt.Sprintf("%s:%d", file, n)
		if fenced || strings.HasPrefix(line, "    ") {
			line, _, _ = strings.Cut(line, " #")
			for _, part := range strings.Split(line, "|") {
				if args, ok := argsOf(part, program); ok {
					all = append(all, Command{where, args, false})
				}
			}
			continue
		}
		for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
			if args, ok := argsOf(m[1], program); ok && len(args) > 0 {
				all = append(all, Command{where, args, true})
			}
		}
	}
	return all
}

// argsOf returns the arguments if the command line begins with the program.
func argsOf(line, program string) (args []string, ok bool) {
	words := word.FindAllString(redirected.ReplaceAllString(line, ""), -1)
	for len(words) > 0 && (words[0] == "$" || words[0] == "sudo") {
		words = words[1:]
	}
	if len(words) == 0 || strings.TrimPrefix(words[0], "bin/") != program {
		return nil, false
	}
	for _, w := range words[1:] {
		args = append(args, strings.Trim(w, `"'`))
	}
	return args, true
}
