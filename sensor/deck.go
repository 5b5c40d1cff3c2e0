// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

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
		if d.t.progress() { // the line of the progress is on the same screen
			fmt.Fprint(d.t.err, eraseLine)
		}
		if err := d.deal(deckSize / 2); err != nil {
			return err
		}
	}
	d.byID[a.ID] = len(d.order)
	d.order = append(d.order, a)
	return nil
}

// finish shows what is left.
func (d *deck) finish() error { return d.deal(len(d.order)) }

// deal shows the n alerts that came first: incidents in the order in which they began, each with its alerts in their
// order.
func (d *deck) deal(n int) error {
	for _, g := range incidents(d.order[:n]) {
		if err := d.t.incident(d.w, g); err != nil {
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

// incidents groups alerts: incidents in the order in which they began, the alert that tells the whole chain first. What
// belongs to no incident stands alone.
func incidents(all []*schemas.Alert) (groups [][]*schemas.Alert) {
	place := map[string]int{}
	for _, a := range all {
		i, ok := place[a.IncidentID]
		if !ok || a.IncidentID == "" {
			i = len(groups)
			groups = append(groups, nil)
			place[a.IncidentID] = i
		}
		groups[i] = append(groups[i], a)
	}
	for _, g := range groups {
		slices.SortStableFunc(g, func(a, b *schemas.Alert) int { return chainFirst(a) - chainFirst(b) })
	}
	return groups
}

func chainFirst(a *schemas.Alert) int {
	if a.Rule.ID == chainRule {
		return 0
	}
	return 1
}

// incident shows the alerts of one incident, under a head if there are several.
func (t *terminal) incident(w io.Writer, all []*schemas.Alert) error {
	if len(all) > 1 {
		head := strings.Join(wrap(clean(incidentLine(all)), t.width), "\n")
		if _, err := fmt.Fprintf(w, "%s\n\n", t.paint(head, bold)); err != nil {
			return err
		}
	}
	for _, a := range all {
		if err := t.card(w, a); err != nil {
			return err
		}
	}
	return nil
}

func incidentLine(all []*schemas.Alert) string {
	devices := map[string]bool{}
	first, last := all[0].Time.EventStart, all[0].Time.EventEnd
	for _, a := range all {
		devices[a.Device.Key] = true
		first, last = min(first, a.Time.EventStart), max(last, a.Time.EventEnd)
	}
	return fmt.Sprintf("Incident %s: %d alerts on %s, %s to %s UTC", all[0].IncidentID, len(all),
		counted(uint64(len(devices)), "device"), moment(int64(first)), moment(int64(last)))
}
