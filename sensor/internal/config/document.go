// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// document is a YAML file with the errors found so far.
type document struct {
	file  string
	lines [][]byte
	ast   *ast.File
	bad   Errors
}

// newDocument parses a document of at most limit bytes, a whole number of MiB.
func newDocument(file string, src []byte, limit int) *document {
	d := &document{file: file}
	if len(src) > limit {
		d.bad = append(d.bad, Problem{File: file, Line: 1, Column: 1, Text: fmt.Sprintf("the file is larger than %d MiB", limit>>20)})
		return d
	}
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf")) // the byte order mark that some editors write
	if line, column, found := notText(src); found {
		d.bad = append(d.bad, Problem{File: file, Line: line, Column: column, Text: "the file is not UTF-8 text"})
		return d
	}
	d.lines = bytes.Split(src, []byte("\n"))
	tokens := lexer.Tokenize(string(src))
	if t, text := outOfBounds(tokens); t != nil {
		d.fail(t, "%s", text)
		return d
	}
	f, err := parser.Parse(tokens, 0)
	if err != nil {
		d.syntax(err)
		return d
	}
	d.ast = f
	return d
}

func (d *document) syntax(err error) {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		d.fail(at.GetToken(), "%s", at.GetMessage())
		return
	}
	d.fail(nil, "%s", err)
}

func (d *document) line(n int) string {
	if n < 1 || n > len(d.lines) || len(d.lines[n-1]) > 200 {
		return ""
	}
	if bytes.Contains(d.lines[n-1], []byte("password:")) {
		return "" // the key is refused, but the line may hold a secret and messages go to a log
	}
	return strings.TrimRight(strings.ToValidUTF8(string(d.lines[n-1]), "."), " \r")
}

func (d *document) fail(t *token.Token, format string, args ...any) {
	line, col := 1, 1
	if t != nil && t.Position != nil {
		line, col = t.Position.Line, t.Position.Column
	}
	d.bad = append(d.bad, Problem{d.file, line, col, shortened(fmt.Sprintf(format, args...)), d.line(line)})
}

// maxText bounds a message: the key or value that it quotes may be a megabyte.
const maxText = 400

func shortened(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// err returns the errors in the order of the file, nil if there are none.
func (d *document) err() error {
	if len(d.bad) == 0 {
		return nil
	}
	slices.SortStableFunc(d.bad, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return d.bad
}

// root returns the top-level mapping, nil after an error.
func (d *document) root() *mapping {
	if d.ast == nil {
		return nil
	}
	if len(d.ast.Docs) > 1 {
		d.fail(d.ast.Docs[1].GetToken(), "expected one document, found %d", len(d.ast.Docs))
		return nil
	}
	if len(d.ast.Docs) == 0 || d.ast.Docs[0].Body == nil {
		d.fail(nil, "the file is empty")
		return nil
	}
	return d.asMapping(d.ast.Docs[0].Body, "the document")
}

// mapping is a YAML mapping that records which keys were read.
type mapping struct {
	doc    *document
	node   ast.Node
	items  []*ast.MappingValueNode
	place  map[string]int // of a key in items
	wanted map[string]bool
}

func (d *document) asMapping(n ast.Node, what string) *mapping {
	m := &mapping{doc: d, node: n, place: map[string]int{}, wanted: map[string]bool{}}
	switch n := n.(type) {
	case *ast.MappingNode:
		m.items = n.Values
	case *ast.MappingValueNode:
		m.items = []*ast.MappingValueNode{n}
	case *ast.AnchorNode, *ast.AliasNode:
		d.fail(n.GetToken(), "anchors and aliases are not allowed")
		return nil
	default:
		d.fail(n.GetToken(), "%s must be a mapping (key: value), not %s", what, kind(n))
		return nil
	}
	for i, it := range m.items {
		k := keyText(it)
		if _, twice := m.place[k]; twice {
			d.fail(it.Key.GetToken(), "%q stands here twice", k)
		} else {
			m.place[k] = i
		}
	}
	return m
}

func keyText(it *ast.MappingValueNode) string {
	if s, ok := it.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return it.Key.String()
}

// kind returns the name of the kind of a node for messages.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	}
	return "a single value"
}

// find returns the value of a key and marks it as read; nil if it is not there.
func (m *mapping) find(key string) *value {
	m.wanted[key] = true
	if i, ok := m.place[key]; ok {
		return &value{doc: m.doc, node: m.items[i].Value, key: key}
	}
	return nil
}

func (m *mapping) keys() []string {
	var out []string
	for _, it := range m.items {
		out = append(out, keyText(it))
	}
	return out
}

func (m *mapping) failKey(key, format string, args ...any) {
	if i, ok := m.place[key]; ok {
		m.doc.fail(m.items[i].Key.GetToken(), format, args...)
		return
	}
	m.fail(format, args...)
}

func (m *mapping) fail(format string, args ...any) {
	t := m.node.GetToken()
	if len(m.items) > 0 {
		t = m.items[0].Key.GetToken()
	}
	m.doc.fail(t, format, args...)
}

// done reports the keys that were not read, with the known keys.
func (m *mapping) done() {
	known := make([]string, 0, len(m.wanted))
	for k := range m.wanted {
		known = append(known, k)
	}
	slices.Sort(known)
	for _, it := range m.items {
		if k := keyText(it); !m.wanted[k] {
			m.doc.fail(it.Key.GetToken(), "unknown key %q; known keys: %s", k, strings.Join(known, ", "))
		}
	}
}

// raw returns the node of a key, nil if it is not there.
func (m *mapping) raw(key string) ast.Node {
	if v := m.find(key); v != nil && m.doc.asMapping(v.node, key) != nil {
		return v.node
	}
	return nil
}

func (m *mapping) version() {
	n := 0
	if m.find("version") == nil {
		m.fail(`"version: 1" is missing`)
		return
	}
	m.number("version", &n, 1, 1)
}

func (m *mapping) mapping(key string) *mapping {
	if v := m.find(key); v != nil {
		return m.doc.asMapping(v.node, key)
	}
	return nil
}

func (m *mapping) text(key string, into *string) {
	if v := m.find(key); v != nil {
		s := v.string()
		if s == "" && !v.failed {
			v.fail("%s must not be empty", key)
		}
		*into = s
	}
}

func (m *mapping) choice(key string, into *string, of []string) {
	v := m.find(key)
	if v == nil {
		return
	}
	s := v.string()
	if !slices.Contains(of, s) {
		v.fail("%s must be one of %s, not %q", key, strings.Join(of, ", "), s)
		return
	}
	*into = s
}

func (m *mapping) number(key string, into *int, from, to int) {
	v := m.find(key)
	if v == nil {
		return
	}
	n, err := strconv.Atoi(v.string())
	if _, isInt := v.node.(*ast.IntegerNode); err != nil || !isInt || n < from || n > to {
		if from == to {
			v.fail("%s must be %d", key, from)
		} else {
			v.fail("%s must be a whole number from %d to %d", key, from, to)
		}
		return
	}
	*into = n
}

func (m *mapping) boolean(key string, into **bool) {
	v := m.find(key)
	if v == nil {
		return
	}
	b, ok := v.node.(*ast.BoolNode)
	if !ok {
		v.fail("%s must be true or false", key)
		return
	}
	*into = &b.Value
}

// each calls fn for every item of a list.
func (m *mapping) each(key string, fn func(*value)) {
	v := m.find(key)
	if v == nil {
		return
	}
	s, ok := v.node.(*ast.SequenceNode)
	if !ok {
		v.fail("%s must be a list, not %s", key, kind(v.node))
		return
	}
	for _, n := range s.Values {
		fn(&value{doc: m.doc, node: n, key: key})
	}
}

// value is a node that must be a single value or an item of a list.
type value struct {
	doc    *document
	node   ast.Node
	key    string
	failed bool
}

// fail reports an error at the value, once.
func (v *value) fail(format string, args ...any) {
	if !v.failed {
		v.failed = true
		v.doc.fail(v.node.GetToken(), format, args...)
	}
}

// string returns a single value as it is written, "" after an error.
func (v *value) string() string {
	switch n := v.node.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value
	}
	v.fail("%s must be a single value, not %s", v.key, kind(v.node))
	return ""
}
