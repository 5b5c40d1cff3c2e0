// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"maps"

	"stillwatch/schemas"
)

// Tally counts alerts by rule and by the severity of their last revision. It holds the severity of each alert until it is
// closed, so it is as large as the table of open alerts. It has one caller at a time.
type Tally struct {
	alerts  map[[2]string]uint64 // severity, rule
	records map[string]uint64    // by action
	open    map[string]string    // id to severity
}

// NewTally gives a tally of nothing.
func NewTally() *Tally {
	return &Tally{alerts: map[[2]string]uint64{}, records: map[string]uint64{}, open: map[string]string{}}
}

// Clone gives a tally that stays as this one is now.
func (t *Tally) Clone() *Tally {
	return &Tally{alerts: maps.Clone(t.alerts), records: maps.Clone(t.records), open: map[string]string{}}
}

// Add counts one record.
func (t *Tally) Add(a *schemas.Alert) {
	t.records[a.Action]++
	if before, ok := t.open[a.ID]; ok {
		t.alerts[[2]string{before, a.Rule.ID}]--
	}
	t.alerts[[2]string{a.Severity, a.Rule.ID}]++
	if a.Action == "close" {
		delete(t.open, a.ID)
		return
	}
	t.open[a.ID] = a.Severity
}

// BySeverity gives the number of alerts of one severity.
func (t *Tally) BySeverity(severity string) (n uint64) {
	for k, v := range t.alerts {
		if k[0] == severity {
			n += v
		}
	}
	return n
}
