// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Incidents is described at Records.
func (s *SQLite) Incidents(ctx context.Context, f IncidentFilter, p Page) (IncidentList, error) {
	w := f.where()
	order := sorted{"incidents", map[Order]string{Newest: "i.first_at", Oldest: "i.first_at", Riskiest: "i.risk"}, "i.row"}
	tail, err := order.page(&w, p)
	if err != nil {
		return IncidentList{}, err
	}
	rs, err := s.read.QueryContext(ctx, `SELECT `+incidentColumns+` FROM incidents i `+w.conds+` `+tail, w.args...)
	if err != nil {
		return IncidentList{}, fmt.Errorf("incidents: %w", mark(err))
	}
	var list IncidentList
	var numbers []int64
	err = scanAll(rs, func(r *sql.Rows) error {
		i, row, err := scanIncident(r.Scan)
		list.Incidents, numbers = append(list.Incidents, i), append(numbers, row)
		return err
	})
	if err != nil {
		return IncidentList{}, fmt.Errorf("incidents: %w", mark(err))
	}
	if n := p.limits(); len(list.Incidents) > n {
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

// Incident is described at Records.
func (s *SQLite) Incident(ctx context.Context, id string) (IncidentRow, error) {
	i, _, err := scanIncident(s.read.QueryRowContext(ctx, `SELECT `+incidentColumns+` FROM incidents i WHERE i.id = ?`, id).Scan)
	return i, found(err, "incident", id)
}

// Overview is described at Records.
func (s *SQLite) Overview(ctx context.Context) (Overview, error) {
	o := Overview{OpenBySeverity: map[string]int{}, ByExpect: map[string]int{}}
	for _, name := range severities() {
		o.OpenBySeverity[name] = 0
	}
	err := s.counts(ctx, `SELECT severity, count(*) FROM alerts WHERE open = 1 GROUP BY severity`, func(r *sql.Rows) error {
		var rank, n int
		err := r.Scan(&rank, &n)
		if name := severityName(rank); name != "" {
			o.OpenBySeverity[name] = n
		}
		o.OpenAlerts += n
		return err
	})
	if err != nil {
		return o, err
	}
	err = s.counts(ctx, `SELECT expect, count(*) FROM devices GROUP BY expect`, func(r *sql.Rows) error {
		var name string
		var n int
		err := r.Scan(&name, &n)
		o.ByExpect[name] = n
		o.Devices += n
		return err
	})
	if err != nil {
		return o, err
	}
	const query = `SELECT (SELECT count(*) FROM alerts), (SELECT count(*) FROM incidents), (SELECT count(*) FROM incidents WHERE open > 0),
		(SELECT count(*) FROM devices d WHERE d.expect = 'silent' AND EXISTS (SELECT 1 FROM alerts a WHERE a.device = d.key AND a.open)),
		(SELECT count(*) FROM sensors), (SELECT coalesce(sum(max_seq - received), 0) FROM boots), (SELECT count(*) FROM dead_letters), (SELECT change FROM counter)`
	err = s.read.QueryRowContext(ctx, query).Scan(&o.Alerts, &o.Incidents, &o.OpenIncidents, &o.Spoke, &o.Sensors, &o.Missing, &o.DeadLetters, &o.LastChange)
	return o, mark(err)
}

func (s *SQLite) counts(ctx context.Context, query string, scan func(*sql.Rows) error) error {
	rs, err := s.read.QueryContext(ctx, query)
	if err != nil {
		return mark(err)
	}
	return mark(scanAll(rs, scan))
}

// like makes a pattern that finds text anywhere, whatever characters it has.
func like(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(text)) + "%"
}
