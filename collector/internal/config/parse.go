// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Problem is one error in a file.
type Problem struct {
	File         string
	Line, Column int // from 1
	Text         string
	Source       string // the line
}

// String returns the problem with its position and source line.
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
	if p.Source != "" {
		s += "\n    " + p.Source
	}
	return s
}

// Errors lists the problems of one file in the order of lines. It is never empty.
type Errors []Problem

// Error returns all problems, one per line.
func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, p := range e {
		parts[i] = p.String()
	}
	return strings.Join(parts, "\n")
}

// maxFile is the maximum size of a configuration file, in bytes.
const maxFile = 1 << 20

// document is a file with the problems found so far.
type document struct {
	file  string
	lines [][]byte
	ast   *ast.File
	bad   Errors
}

// Parse parses src. file is its name in error messages. The error is of type Errors.
func Parse(file string, src []byte) (Config, error) {
	d := &document{file: file, lines: bytes.Split(src, []byte("\n"))}
	c := Default()
	if len(src) > maxFile {
		return c, Errors{{File: file, Line: 1, Column: 1, Text: "the file is larger than 1 MiB"}}
	}
	tree, err := parser.ParseBytes(src, 0)
	if err != nil {
		return c, d.syntaxError(err)
	}
	d.ast = tree
	if err := yaml.NewDecoder(bytes.NewReader(src), yaml.Strict()).Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, d.syntaxError(err)
	}
	c.check(d.fail)
	if len(d.bad) > 0 {
		slices.SortStableFunc(d.bad, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
		return c, d.bad
	}
	return c, nil
}

// syntaxError converts an error of the YAML decoder to a problem with its position.
func (d *document) syntaxError(err error) Errors {
	p := Problem{File: d.file, Line: 1, Column: 1, Text: err.Error()}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		pos := at.GetToken().Position
		p = Problem{d.file, pos.Line, pos.Column, at.GetMessage(), d.line(pos.Line)}
	}
	return Errors{p}
}

func (d *document) line(n int) string {
	if n < 1 || n > len(d.lines) || len(d.lines[n-1]) > 200 {
		return ""
	}
	return strings.TrimRight(strings.ToValidUTF8(string(d.lines[n-1]), "."), " \r")
}

// fail adds a problem at a path of the document, or at the nearest existing parent.
func (d *document) fail(path, format string, args ...any) {
	p := Problem{File: d.file, Line: 1, Column: 1, Text: fmt.Sprintf(format, args...)}
	if node := d.find(path); node != nil {
		pos := node.GetToken().Position
		p.Line, p.Column, p.Source = pos.Line, pos.Column, d.line(pos.Line)
	}
	d.bad = append(d.bad, p)
}

func (d *document) find(path string) ast.Node {
	for path != "$" && path != "" {
		if at, err := yaml.PathString(path); err == nil {
			if node, err := at.FilterFile(d.ast); err == nil && node != nil {
				return node
			}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return nil
}
