// SPDX-License-Identifier: Apache-2.0

// Package terminal writes what a person reads: alerts as cards, tables, labelled rows, a progress line and numbers with units. It makes
// text from the network safe to print.
package terminal

import (
	"cmp"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// The width to write for, in columns: without a terminal, and the bounds on that of a terminal.
const (
	defaultWidth = 100
	minWidth     = 40
	maxWidth     = 120
)

// Terminal describes standard output and standard error.
type Terminal struct {
	Out, Err *os.File
	OutTTY   bool           // standard output is a terminal
	ErrTTY   bool           // standard error is one
	Width    int            // columns to write into
	Zone     *time.Location // of the times that are shown; nil: UTC

	color bool
	dumb  bool // TERM=dumb: no escape sequences
}

// New returns what standard output and standard error are connected to. Colors are off if noColor is set, the environment variable
// NO_COLOR is not empty, or TERM is dumb.
func New(noColor bool) *Terminal {
	t := &Terminal{Out: os.Stdout, Err: os.Stderr, Width: defaultWidth, Zone: time.UTC}
	t.OutTTY, t.ErrTTY = term.IsTerminal(int(t.Out.Fd())), term.IsTerminal(int(t.Err.Fd()))
	t.dumb = os.Getenv("TERM") == "dumb"
	t.color = t.OutTTY && !noColor && os.Getenv("NO_COLOR") == "" && !t.dumb
	if w, _, err := term.GetSize(int(t.Out.Fd())); err == nil && w > 0 {
		t.Width = min(max(w, minWidth), maxWidth)
	}
	return t
}

// CanRepaint reports whether a line on standard error can be overwritten, as a progress line needs it.
func (t *Terminal) CanRepaint() bool { return t.ErrTTY && !t.dumb }

// Moment returns a time of the capture clock, in nanoseconds since 1970, to the second in the zone of the terminal, which it names.
func (t *Terminal) Moment(ns int64) string {
	return time.Unix(0, ns).In(cmp.Or(t.Zone, time.UTC)).Format("2006-01-02 15:04:05 MST")
}

// Interval returns two times as Moment does. It names the zone once, unless the clocks were changed between them.
func (t *Terminal) Interval(from, to int64) string {
	a, b := t.Moment(from), t.Moment(to)
	if i := strings.LastIndexByte(a, ' '); a[i:] == b[strings.LastIndexByte(b, ' '):] {
		a = a[:i]
	}
	return a + " to " + b
}

// Style is the parameter of an SGR sequence (ECMA-48 section 8.3.117).
type Style string

// The styles in use: bold and faint text, and one for each severity.
const (
	Bold     Style = "1"
	Faint    Style = "2"
	Critical Style = "1;97;41"
	High     Style = "1;31"
	Medium   Style = "33"
	Low      Style = "36"
)

// Paint returns s in a style, or s itself if colors are off.
func (t *Terminal) Paint(s string, st Style) string {
	if !t.color || st == "" || s == "" {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}

func severityStyle(severity string) Style {
	switch severity {
	case "critical":
		return Critical
	case "high":
		return High
	case "medium":
		return Medium
	case "low":
		return Low
	}
	return Faint
}
