// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"slices"

	"stillwatch/schemas"
)

// deckSize bounds the alerts that are held back for the end.
const deckSize = 2000

// deck holds alerts until the end of a run, so that each is shown once, as it stands in its last revision, and beside
// the others of its incident. When it is full the older half is shown at once, as it stands.
type deck struct {
	t     *terminal
	w     io.Writer
	order []*schemas.Alert // in the order of their first revisions
	byID  map[string]int   // id to place in order
}

func newDeck(t *terminal, w io.Writer) *deck { return &deck{t: t, w: w, byID: map[string]int{}} }

// add takes one revision.
func (d *deck) add(a *schemas.Alert) error {
	if i, ok := d.byID[a.ID]; ok {
		d.order[i] = a
		return nil
	}
	if len(d.order) == deckSize {
		if err := d.deal(deckSize / 2); err != nil {
			return err
		}
	}
	d.byID[a.ID] = len(d.order)
	d.order = append(d.order, a)
	return nil
}

// deal shows the n alerts that came first: incidents in the order in which they began, each with its alerts in their
// order.
func (d *deck) deal(n int) error {
	place := map[string]int{}
	var groups [][]*schemas.Alert
	for _, a := range d.order[:n] {
		i, ok := place[a.IncidentID]
		if !ok || a.IncidentID == "" {
			i = len(groups)
			groups = append(groups, nil)
			place[a.IncidentID] = i
		}
		groups[i] = append(groups[i], a)
	}
	for _, a := range slices.Concat(groups...) {
		if err := d.t.card(d.w, a); err != nil {
			return err
		}
	}
	d.order = slices.Clone(d.order[n:])
	clear(d.byID)
	for i, a := range d.order {
		d.byID[a.ID] = i
	}
	return nil
}
