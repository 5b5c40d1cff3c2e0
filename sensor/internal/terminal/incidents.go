// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// maxHeld bounds the alerts that IncidentCards keeps.
const maxHeld = 2000

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

// Finish writes the cards that are left.
func (d *IncidentCards) Finish() error { return d.write(len(d.order)) }

// write writes the n alerts that came first, incident by incident.
func (d *IncidentCards) write(n int) error {
	shown := slices.DeleteFunc(slices.Clone(d.order[:n]), func(a *schemas.Alert) bool { return a.SuppressedBy != "" })
	for _, g := range incidents(shown) {
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

func chainFirst(a *schemas.Alert) int {
	if a.Rule.ID == chainRule {
		return 0
	}
	return 1
}

// incident writes the alerts of one incident, under a heading if there are several.
func (t *Terminal) incident(w io.Writer, all []*schemas.Alert) error {
	if len(all) > 1 {
		head := strings.Join(Wrap(Clean(incidentLine(all)), t.Width), "\n")
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

func incidentLine(all []*schemas.Alert) string {
	devices := map[string]bool{}
	first, last := all[0].Time.EventStart, all[0].Time.EventEnd
	for _, a := range all {
		devices[a.Device.Key] = true
		first, last = min(first, a.Time.EventStart), max(last, a.Time.EventEnd)
	}
	return fmt.Sprintf("Incident %s: %d alerts on %s, %s to %s UTC", all[0].IncidentID, len(all),
		Counted(uint64(len(devices)), "device"), Moment(int64(first)), Moment(int64(last)))
}
