// SPDX-License-Identifier: Apache-2.0

package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"stillwatch/collector/internal/store"
)

// quiet are the expectations under which a device that opens something breaks its word.
var quiet = []string{"silent", "server_only", "allowlist"}

var severities = []string{"critical", "high", "medium", "low", "informational"}

type overviewBody struct {
	store.Overview
	Severities []severityCount
	Spoke      []spokeRow
	Incidents  []incidentRow
	Alerts     []alertRow
	Sensors    []store.SensorRow
}

type severityCount struct {
	Name string
	Open int
	URL  verbatim
}

// spokeRow is a device that ought to be silent and opened something.
type spokeRow struct {
	deviceRow
	Strip strip
}

// totals keeps the numbers of the overview, which are counted over the whole database, while nothing has changed: many open
// pages cost one count.
type totals struct {
	mu   sync.Mutex
	at   time.Time
	last store.Overview
}

// totalsAge bounds how long numbers are kept: refused records change no change number.
const totalsAge = 5 * time.Second

func (t *totals) get(ctx context.Context, s store.Records) (store.Overview, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change, err := s.LastChange(ctx)
	if err != nil {
		return store.Overview{}, err
	}
	if change == t.last.LastChange && time.Since(t.at) < totalsAge {
		return t.last, nil
	}
	o, err := s.Overview(ctx)
	if err != nil {
		return store.Overview{}, err
	}
	t.at, t.last = time.Now(), o
	return o, nil
}

func (k *Console) overview(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	o, err := k.totals.get(ctx, k.store)
	if err != nil {
		return err
	}
	body := overviewBody{Overview: o}
	for _, s := range severities {
		body.Severities = append(body.Severities, severityCount{s, o.OpenBySeverity[s], listURL("/alerts", "severity", s, "state", "open")})
	}
	if body.Spoke, err = k.spoke(ctx); err != nil {
		return err
	}
	incidents, err := k.store.Incidents(ctx, store.IncidentFilter{State: "open"}, store.Page{Limit: 6})
	if err != nil {
		return err
	}
	alerts, err := k.store.Alerts(ctx, store.AlertFilter{}, store.Page{Limit: 12})
	if err != nil {
		return err
	}
	if body.Sensors, err = k.store.Sensors(ctx); err != nil {
		return err
	}
	body.Incidents, body.Alerts = incidentRows(incidents.Incidents), alertRows(alerts.Alerts)
	return k.show(w, r, http.StatusOK, "overview", page{Title: "Overview", Nav: "overview", Live: true, Body: body})
}

// spoke finds the devices that ought to be silent, have an open alert, and are known to have opened something in the week
// before they were last seen: of the 100 seen last, the 8 with the highest risk.
func (k *Console) spoke(ctx context.Context) ([]spokeRow, error) {
	list, err := k.store.Devices(ctx, store.DeviceFilter{Expect: quiet, Alerts: true, Spoke: true}, store.Page{Limit: 100})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list.Devices, func(a, b store.DeviceRow) int { return cmp.Compare(b.RiskScore, a.RiskScore) })
	var out []spokeRow
	for _, d := range deviceRows(list.Devices) {
		s, err := k.strip(ctx, &d.DeviceRow)
		if err != nil {
			return nil, err
		}
		if s.Spoken > 0 {
			out = append(out, spokeRow{deviceRow: d, Strip: s})
		}
		if len(out) == 8 {
			break
		}
	}
	return out, nil
}
