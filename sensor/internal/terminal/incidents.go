// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// maxHeld bounds the alerts that IncidentCards keeps.
const maxHeld = 2000

// ManyCards is how many cards a reader takes in at once. If there are more, incidents of several alerts come first, the most severe on top.
const ManyCards = 50

// chainRule is the rule whose alert links the other alerts of an incident.
const chainRule = "D42"

// IncidentCards keeps alerts until the end of a run, then writes each as a card: once, in its last revision, and next to the others of
// its incident, unless a policy suppresses it. When it is full, it writes the older half at once.
type IncidentCards struct {
	t     *Terminal
	w     io.Writer
	order []*schemas.Alert // in the order of their first revisions
	byID  map[string]int   // id to place in order
}

// NewIncidentCards returns a renderer that writes to w.
func NewIncidentCards(t *Terminal, w io.Writer) *IncidentCards {
	return &IncidentCards{t: t, w: w, byID: map[string]int{}}
}

// Add keeps one revision of an alert.
func (d *IncidentCards) Add(a *schemas.Alert) error {
	if i, ok := d.byID[a.ID]; ok {
		d.order[i] = a
		return nil
	}
	if len(d.order) == maxHeld {
		if d.t.CanRepaint() { // the progress line is on the same screen
			fmt.Fprint(d.t.Err, eraseLine)
		}
		if err := d.write(maxHeld / 2); err != nil {
			return err
		}
	}
	d.byID[a.ID] = len(d.order)
	d.order = append(d.order, a)
	return nil
}

// Many reports whether more than ManyCards cards are left.
func (d *IncidentCards) Many() bool { return len(d.order) > ManyCards }

// Finish writes the cards that are left.
func (d *IncidentCards) Finish() error { return d.write(len(d.order)) }

// write writes the n alerts that came first, incident by incident.
func (d *IncidentCards) write(n int) error {
	shown := slices.DeleteFunc(slices.Clone(d.order[:n]), func(a *schemas.Alert) bool { return a.SuppressedBy != "" })
	groups := incidents(shown)
	if len(shown) > ManyCards {
		slices.SortStableFunc(groups, func(a, b []*schemas.Alert) int { return cmp.Or(single(a)-single(b), worst(a)-worst(b)) })
	}
	for _, g := range groups {
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

// incidents groups alerts by incident, in the order in which the incidents began. The alert of chainRule comes first in its group. An
// alert without an incident is a group of its own.
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

// single is 0 for the alerts of an incident, and 1 for an alert alone.
func single(all []*schemas.Alert) int { return max(0, 2-len(all)) }

// worst returns the place of the highest severity among Severities.
func worst(all []*schemas.Alert) int {
	at := len(Severities())
	for _, a := range all {
		at = min(at, slices.Index(Severities(), a.Severity))
	}
	return at
}

func chainFirst(a *schemas.Alert) int {
	if a.Rule.ID == chainRule {
		return 0
	}
	return 1
}

// incident writes the alerts of one incident, under a heading if there are several.
func (t *Terminal) incident(w io.Writer, all []*schemas.Alert) error {
	if len(all) > 1 {
		head := strings.Join(Wrap(Clean(t.incidentLine(all)), t.Width), "\n")
		if _, err := fmt.Fprintf(w, "%s\n\n", t.Paint(head, Bold)); err != nil {
			return err
		}
	}
	for _, a := range all {
		if err := t.Card(w, a); err != nil {
			return err
		}
	}
	return nil
}

func (t *Terminal) incidentLine(all []*schemas.Alert) string {
	devices := map[string]bool{}
	first, last := all[0].Time.EventStart, all[0].Time.EventEnd
	for _, a := range all {
		devices[a.Device.Key] = true
		first, last = min(first, a.Time.EventStart), max(last, a.Time.EventEnd)
	}
	return fmt.Sprintf("Incident %s: %d alerts on %s, %s", all[0].IncidentID, len(all),
		Counted(uint64(len(devices)), "device"), t.Interval(int64(first), int64(last)))
}
