// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Detection is the configuration of one rule.
type Detection struct {
	Enabled  *bool   // nil: not set
	Severity *string // nil: not set; one of Severities

	params ast.Node
	doc    *document
}

// Decode sets the fields of a struct with yaml tags that params overrides. Keys that are not in the struct and values of another type are
// errors; the error is of type Errors, with file, line and column.
func (d Detection) Decode(into any) error {
	if d.params == nil {
		return nil
	}
	err := yaml.NodeToValue(d.params, into, yaml.Strict())
	if err == nil {
		return nil
	}
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		p := d.params.GetToken().Position
		return Errors{{File: d.doc.file, Line: p.Line, Column: p.Column, Text: err.Error()}}
	}
	p := at.GetToken().Position
	return Errors{{File: d.doc.file, Line: p.Line, Column: p.Column, Text: at.GetMessage(), Source: d.doc.line(p.Line)}}
}
