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

// restricted lists the expectations under which a device opens no sessions, or only expected ones.
var restricted = []string{"silent", "server_only", "allowlist"}

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

// spokeRow is a device that is expected to be silent but opened sessions.
type spokeRow struct {
	deviceRow
	Activity activity
}

// totals caches the counts of the overview, which cover the whole database, as long as nothing has changed, so that many open pages
// cost one query.
type totals struct {
	mu   sync.Mutex
	at   time.Time
	last store.Overview
}

// totalsAge is the maximum age of the cache: new records in the dead-letter queue do not change the change number.
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

// spoke returns the devices that are expected to be silent, have an open alert and opened sessions in the week before they were last
// seen: of the 100 most recently seen ones, the 8 with the highest risk.
func (k *Console) spoke(ctx context.Context) ([]spokeRow, error) {
	list, err := k.store.Devices(ctx, store.DeviceFilter{Expect: restricted, Alerts: true, Spoke: true}, store.Page{Limit: 100})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list.Devices, func(a, b store.DeviceRow) int { return cmp.Compare(b.RiskScore, a.RiskScore) })
	var out []spokeRow
	for _, d := range deviceRows(list.Devices) {
		s, err := k.activity(ctx, &d.DeviceRow)
		if err != nil {
			return nil, err
		}
		if s.Active > 0 {
			out = append(out, spokeRow{deviceRow: d, Activity: s})
		}
		if len(out) == 8 {
			break
		}
	}
	return out, nil
}
