// SPDX-License-Identifier: Apache-2.0

package config

import "github.com/goccy/go-yaml/ast"

// Pair is a key of a mapping with its value.
type Pair struct {
	Key   string
	Value any // string, []any, []Pair, or nil
}

// ParseAny reads a file with YAML documents of any form, within the bounds of a configuration: a mapping is a []Pair, a list a []any, a single
// value its text, and null is nil.
func ParseAny(name string, src []byte) ([]any, error) {
	d := newDocument(name, src, maxConfig)
	var all []any
	if d.ast != nil {
		for _, x := range d.ast.Docs {
			if x.Body != nil {
				all = append(all, d.generic(x.Body))
			}
		}
	}
	if err := d.err(); err != nil {
		return nil, err
	}
	return all, nil
}

func (d *document) generic(n ast.Node) any {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		m := d.asMapping(n, "the document")
		pairs := []Pair{}
		for _, it := range m.items {
			pairs = append(pairs, Pair{keyText(it), d.generic(it.Value)})
		}
		return pairs
	case *ast.SequenceNode:
		list := []any{}
		for _, x := range n.Values {
			list = append(list, d.generic(x))
		}
		return list
	case *ast.NullNode, *ast.CommentGroupNode:
		return nil
	}
	return (&value{doc: d, node: n, key: "the value"}).string()
}
