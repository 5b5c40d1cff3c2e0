// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"maps"

	"stillwatch/schemas"
)

// AlertCounts counts alerts by rule and by the severity of their last revision. It keeps the severity of each alert until the alert is closed,
// so it is as large as the table of open alerts. It is not safe for concurrent use.
type AlertCounts struct {
	alerts  map[[2]string]uint64 // severity, rule
	records map[string]uint64    // by action
	open    map[string]string    // id to severity
}

// NewAlertCounts returns empty counts.
func NewAlertCounts() *AlertCounts {
	return &AlertCounts{alerts: map[[2]string]uint64{}, records: map[string]uint64{}, open: map[string]string{}}
}

// Clone returns a copy of the counts, for reading.
func (c *AlertCounts) Clone() *AlertCounts {
	return &AlertCounts{alerts: maps.Clone(c.alerts), records: maps.Clone(c.records), open: map[string]string{}}
}

// Add counts one record.
func (c *AlertCounts) Add(a *schemas.Alert) {
	c.records[a.Action]++
	severity := a.Severity
	if a.SuppressedBy != "" {
		severity = Suppressed
	}
	if before, ok := c.open[a.ID]; ok {
		c.alerts[[2]string{before, a.Rule.ID}]--
	}
	c.alerts[[2]string{severity, a.Rule.ID}]++
	if a.Action == "close" {
		delete(c.open, a.ID)
		return
	}
	c.open[a.ID] = severity
}

// Suppressed counts, in place of a severity, the alerts that a policy suppresses.
const Suppressed = "suppressed"

// BySeverity returns the number of alerts of one severity, or of those that are Suppressed.
func (c *AlertCounts) BySeverity(severity string) (n uint64) {
	for k, v := range c.alerts {
		if k[0] == severity {
			n += v
		}
	}
	return n
}
