// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
)

// Problem is one mistake in a document.
type Problem struct {
	File         string
	Line, Column int // from 1
	Text         string
	Source       string // the line, "" if it is not to be shown
}

func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
	if p.Source != "" {
		s += "\n    " + p.Source
	}
	return s
}

// Errors lists the mistakes of one document in the order of its lines; it is never empty.
type Errors []Problem

func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, p := range e {
		parts[i] = p.String()
	}
	return strings.Join(parts, "\n")
}
