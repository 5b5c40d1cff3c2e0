// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"golang.org/x/term"
)

const (
	usualWidth = 100
	leastWidth = 40
	mostWidth  = 120
)

// terminal says what stands behind standard output and standard error.
type terminal struct {
	out, err *os.File
	outTTY   bool
	errTTY   bool
	color    bool
	dumb     bool // knows no escape sequences
	width    int  // columns to write into
}

func newTerminal(noColor bool) *terminal {
	t := &terminal{out: os.Stdout, err: os.Stderr, width: usualWidth}
	t.outTTY, t.errTTY = term.IsTerminal(int(t.out.Fd())), term.IsTerminal(int(t.err.Fd()))
	t.dumb = os.Getenv("TERM") == "dumb"
	t.color = t.outTTY && !noColor && os.Getenv("NO_COLOR") == "" && !t.dumb
	if w, _, err := term.GetSize(int(t.out.Fd())); err == nil && w > 0 {
		t.width = min(max(w, leastWidth), mostWidth)
	}
	return t
}

// progress reports whether a line on standard error can be painted over and over.
func (t *terminal) progress() bool { return t.errTTY && !t.dumb }

// style is the parameter of an SGR sequence (ECMA-48 section 8.3.117).
type style string

const (
	bold     style = "1"
	faint    style = "2"
	critical style = "1;97;41"
	high     style = "1;31"
	medium   style = "33"
	low      style = "36"
)

// paint gives s in a style, or as it is where colours are not wanted.
func (t *terminal) paint(s string, st style) string {
	if !t.color || st == "" || s == "" {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}

func severityStyle(severity string) style {
	switch severity {
	case "critical":
		return critical
	case "high":
		return high
	case "medium":
		return medium
	case "low":
		return low
	}
	return faint
}
