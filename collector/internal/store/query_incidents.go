// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"stillwatch/schemas"
)

const incidentColumns = `i.row, i.id, i.change, i.open, i.severity, i.risk, i.title, i.first_at, i.last_at, i.alerts, i.devices, i.rules, i.sensors`

func scanIncident(scan func(...any) error) (IncidentRow, int64, error) {
	var i IncidentRow
	var row int64
	var severity int
	var devices, rules, sensors string
	err := scan(&row, &i.ID, &i.Change, &i.Open, &severity, &i.RiskScore, &i.Title, &i.First, &i.Last, &i.Alerts, &devices, &rules, &sensors)
	if err != nil {
		return i, 0, err
	}
	i.Severity, i.State = severityName(severity), stateName(i.Open > 0)
	return i, row, errors.Join(json.Unmarshal([]byte(devices), &i.Devices), json.Unmarshal([]byte(rules), &i.Rules), json.Unmarshal([]byte(sensors), &i.Sensors))
}

func stateName(open bool) string {
	if open {
		return "open"
	}
	return "closed"
}

// Incidents implements Records.
func (s *SQLite) Incidents(ctx context.Context, f IncidentFilter, p Page) (IncidentList, error) {
	w := f.where()
	order := listOrder{"incidents", map[Order]string{Newest: "i.first_at", Oldest: "i.first_at", Riskiest: "i.risk"}, "i.row"}
	tail, err := order.page(&w, p)
	if err != nil {
		return IncidentList{}, err
	}
	rs, err := s.read.QueryContext(ctx, `SELECT `+incidentColumns+` FROM incidents i `+w.conds+` `+tail, w.args...)
	if err != nil {
		return IncidentList{}, fmt.Errorf("incidents: %w", classify(err))
	}
	var list IncidentList
	var numbers []int64
	err = scanAll(rs, func(r *sql.Rows) error {
		i, row, err := scanIncident(r.Scan)
		list.Incidents, numbers = append(list.Incidents, i), append(numbers, row)
		return err
	})
	if err != nil {
		return IncidentList{}, fmt.Errorf("incidents: %w", classify(err))
	}
	if n := p.size(); len(list.Incidents) > n {
		list.Incidents = list.Incidents[:n]
		last := list.Incidents[n-1]
		v := int64(last.First)
		if p.Order == Riskiest {
			v = int64(last.RiskScore)
		}
		list.Next = cursor{order.list, p.Order, v, numbers[n-1]}.String()
	}
	return list, nil
}

func (f *IncidentFilter) where() where {
	var w where
	w.any("i.severity", ranks(f.Severity))
	switch f.State {
	case "":
	case "open":
		w.add("i.open > 0")
	default:
		w.add("i.open = 0")
	}
	if f.From != 0 {
		w.add("i.last_at >= ?", f.From)
	}
	if f.To != 0 {
		w.add("i.first_at < ?", f.To)
	}
	of := AlertFilter{Device: f.Device, Sensor: f.Sensor, Text: f.Text}
	if a := of.where(); a.conds != "" {
		w.add("i.id IN (SELECT a.incident FROM alerts a "+a.conds+" AND a.incident <> '')", a.args...)
	}
	return w
}

// Incident implements Records.
func (s *SQLite) Incident(ctx context.Context, id string) (IncidentRow, error) {
	i, _, err := scanIncident(s.read.QueryRowContext(ctx, `SELECT `+incidentColumns+` FROM incidents i WHERE i.id = ?`, id).Scan)
	if err != nil {
		return i, lookupError(err, "incident", id)
	}
	var line []byte
	switch err := s.read.QueryRowContext(ctx, `SELECT json FROM incident_records WHERE id = ?`, id).Scan(&line); {
	case errors.Is(err, sql.ErrNoRows):
		return i, nil
	case err != nil:
		return i, fmt.Errorf("incident: %w", classify(err))
	}
	i.JSON, i.Record = line, new(schemas.Incident)
	if err := json.Unmarshal(line, i.Record); err != nil {
		return i, fmt.Errorf("incident %s: %w", id, err)
	}
	return i, nil
}
