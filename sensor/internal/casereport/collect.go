// SPDX-License-Identifier: Apache-2.0

package casereport

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// Limits of what a report holds. The totals count the rest.
const (
	maxAlerts    = 2000
	maxIncidents = 200
	maxDevices   = 1000
	maxSeen      = 1 << 20 // incidents that are counted once for all of their revisions
)

// Collector keeps the records of a run for a report. An attacker who causes many alerts must not push out the others, so the severe ones are kept.
type Collector struct {
	alerts    map[string]*schemas.Alert
	incidents map[string]*schemas.Incident
	seen      map[string]bool // incidents
	total     uint64          // incidents
	involved  map[string]bool // devices; nil: not computed yet
	devices   []*schemas.Device
	others    int // of devices, those that are not involved
}

// NewCollector returns an empty collector.
func NewCollector() *Collector {
	return &Collector{alerts: map[string]*schemas.Alert{}, incidents: map[string]*schemas.Incident{}, seen: map[string]bool{}}
}

// Alert keeps a revision of an alert.
func (c *Collector) Alert(a *schemas.Alert) error {
	c.alerts[a.ID] = a
	prune(c.alerts, maxAlerts, compareAlerts)
	return nil
}

// Incident keeps a revision of an incident.
func (c *Collector) Incident(i *schemas.Incident) error {
	if !c.seen[i.ID] && (len(c.seen) < maxSeen || i.Revision == 1) {
		c.total++
		if len(c.seen) < maxSeen {
			c.seen[i.ID] = true
		}
	}
	c.incidents[i.ID] = i
	prune(c.incidents, maxIncidents, compareIncidents)
	return nil
}

// Device keeps a device. Devices come after all alerts, in the order of their keys.
func (c *Collector) Device(d *schemas.Device) error {
	if c.involved == nil {
		c.involved = c.involvedDevices()
	}
	if !c.involved[d.Key] {
		if c.others == maxDevices {
			return nil
		}
		c.others++
	}
	c.devices = append(c.devices, d)
	return nil
}

func (c *Collector) involvedDevices() map[string]bool {
	all := map[string]bool{}
	for _, a := range c.alerts {
		all[a.Device.Key] = true
	}
	for _, i := range c.incidents {
		for _, d := range i.Devices {
			all[d.Key] = true
		}
	}
	return all
}

// Fill adds the records to a report: incidents and alerts with the worst first, devices in the order of their keys.
func (c *Collector) Fill(r *Report) {
	r.Alerts = worst(c.alerts, maxAlerts, compareAlerts)
	r.Incidents = worst(c.incidents, maxIncidents, compareIncidents)
	r.Devices = c.devices
	r.Totals.Incidents = c.total
}

// prune drops the least important records once there is a quarter more than most.
func prune[T any](all map[string]T, most int, compare func(a, b T) int) {
	if len(all) <= most+most/4 {
		return
	}
	keep := worst(all, most, compare)
	last := keep[len(keep)-1]
	maps.DeleteFunc(all, func(_ string, x T) bool { return compare(x, last) > 0 })
}

func worst[T any](all map[string]T, most int, compare func(a, b T) int) []T {
	out := slices.SortedFunc(maps.Values(all), compare)
	return out[:min(len(out), most)]
}

// rank returns the place of a severity, the worst first.
func rank(severity string) int {
	if i := slices.Index(severities(), severity); i >= 0 {
		return i
	}
	return len(severities())
}

func severities() []string { return []string{"critical", "high", "medium", "low", "informational"} }

// standsAlone reports whether somebody has to read the alert: no other alert absorbs it, and no policy suppresses it.
func standsAlone(a *schemas.Alert) bool { return a.AbsorbedBy == "" && a.SuppressedBy == "" }

func compareAlerts(a, b *schemas.Alert) int {
	if standsAlone(a) != standsAlone(b) {
		if standsAlone(a) {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(b.RiskScore, a.RiskScore),
		cmp.Compare(a.Time.EventStart, b.Time.EventStart), strings.Compare(a.ID, b.ID))
}

func compareIncidents(a, b *schemas.Incident) int {
	return cmp.Or(cmp.Compare(rank(a.Severity), rank(b.Severity)), cmp.Compare(b.RiskScore, a.RiskScore),
		cmp.Compare(a.Time.First, b.Time.First), strings.Compare(a.ID, b.ID))
}
