// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"slices"

	"stillwatch/schemas"
)

// news shows alerts as they come: each when it is raised, and again when it gets more severe or has been told to be more than it was.
type news struct {
	t     *terminal
	w     io.Writer
	shown map[string]seenAlert // by id, of alerts that are not closed
}

type seenAlert struct{ severity, title string }

// maxShown bounds the alerts that are remembered; beyond it, all that is known of what was shown is forgotten.
const maxShown = 1 << 16

func newNews(t *terminal, w io.Writer) *news { return &news{t: t, w: w, shown: map[string]seenAlert{}} }

func (f *news) add(a *schemas.Alert) error {
	before, known := f.shown[a.ID]
	if a.Action == "close" {
		delete(f.shown, a.ID)
		return nil
	}
	if known && !worse(a.Severity, before.severity) && a.Title == before.title {
		return nil
	}
	if len(f.shown) >= maxShown {
		clear(f.shown)
	}
	f.shown[a.ID] = seenAlert{a.Severity, a.Title}
	return f.t.card(f.w, a)
}

func (f *news) finish() error { return nil }

// worse reports whether severity a is above b.
func worse(a, b string) bool { return slices.Index(severities(), a) < slices.Index(severities(), b) }
