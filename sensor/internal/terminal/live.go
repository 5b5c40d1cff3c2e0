// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"io"
	"slices"

	"stillwatch/schemas"
)

// LiveCards writes alerts as cards while they are raised, unless a policy suppresses them. It writes an alert again when its severity rises or its title changes.
type LiveCards struct {
	t     *Terminal
	w     io.Writer
	shown map[string]seenAlert // by id, of alerts that are not closed
}

type seenAlert struct{ severity, title string }

// maxShown limits the alerts that are kept. When it is reached, all are discarded, so that an alert may be shown twice.
const maxShown = 1 << 16

// NewLiveCards returns a renderer that writes to w.
func NewLiveCards(t *Terminal, w io.Writer) *LiveCards {
	return &LiveCards{t: t, w: w, shown: map[string]seenAlert{}}
}

// Add writes a revision of an alert, if it says more than the ones before.
func (f *LiveCards) Add(a *schemas.Alert) error {
	before, known := f.shown[a.ID]
	if a.Action == "close" {
		delete(f.shown, a.ID)
		return nil
	}
	if a.SuppressedBy != "" || known && !worse(a.Severity, before.severity) && a.Title == before.title {
		return nil
	}
	if len(f.shown) >= maxShown {
		clear(f.shown)
	}
	f.shown[a.ID] = seenAlert{a.Severity, a.Title}
	return f.t.Card(f.w, a)
}

// Finish does nothing: every card is written by Add.
func (f *LiveCards) Finish() error { return nil }

// Severities returns the severities, the highest first.
func Severities() []string { return []string{"critical", "high", "medium", "low", "informational"} }

// worse reports whether severity a is above b.
func worse(a, b string) bool { return slices.Index(Severities(), a) < slices.Index(Severities(), b) }
