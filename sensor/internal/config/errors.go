// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"strings"
)

// Problem is one error in a document.
type Problem struct {
	File         string
	Line, Column int // from 1
	Text         string
	Source       string // the line, "" if it must not be shown
}

func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
	if p.Source != "" {
		s += "\n    " + p.Source
	}
	return s
}

// Errors is the errors of one document in the order of its lines; it is never empty.
type Errors []Problem

// maxShown bounds the errors in a message, which is enough if the file is of another kind.
const maxShown = 50

func (e Errors) Error() string {
	var parts []string
	for _, p := range e[:min(len(e), maxShown)] {
		parts = append(parts, p.String())
	}
	if more := len(e) - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("%s: and %d more", e[0].File, more))
	}
	return strings.Join(parts, "\n")
}
