// SPDX-License-Identifier: Apache-2.0

package store

import (
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
)

// maxListed is the maximum length of the lists in an incident.
const maxListed = 20

// incidents recomputes the incidents from their alerts and deletes those without alerts.
func (in *ingest) incidents(ids map[string]bool) error {
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		i, err := in.sum(id)
		if err != nil {
			return err
		}
		if i.Alerts == 0 {
			if _, err := in.exec(`DELETE FROM incidents WHERE id = ?`, id); err != nil {
				return err
			}
			continue
		}
		if err := in.writeIncident(i); err != nil {
			return err
		}
	}
	return nil
}

func (in *ingest) sum(id string) (IncidentRow, error) {
	i := IncidentRow{ID: id}
	var severity sql.NullInt64
	err := in.row(`SELECT count(*), coalesce(sum(open), 0), max(severity), coalesce(max(risk), 0), coalesce(min(at), 0),
		coalesce(max(last_at), 0), coalesce(max(change), 0) FROM alerts WHERE incident = ? AND incident <> ''`, id).
		Scan(&i.Alerts, &i.Open, &severity, &i.RiskScore, &i.First, &i.Last, &i.Change)
	if err != nil || i.Alerts == 0 {
		return i, err
	}
	i.Severity = severityName(int(severity.Int64))
	if i.Title, err = in.titleOf(id); err == nil && i.Title == "" {
		err = in.row(`SELECT title FROM alerts WHERE incident = ? AND incident <> '' ORDER BY risk DESC, at, row LIMIT 1`, id).Scan(&i.Title)
	}
	if err != nil {
		return i, err
	}
	for _, part := range []struct {
		query string
		to    *[]string
	}{
		{`SELECT device FROM alerts WHERE incident = ? AND incident <> '' GROUP BY device ORDER BY device LIMIT ?`, &i.Devices},
		{`SELECT rule FROM alerts WHERE incident = ? AND incident <> '' GROUP BY rule ORDER BY min(at), rule LIMIT ?`, &i.Rules},
		{`SELECT sensor FROM alerts WHERE incident = ? AND incident <> '' GROUP BY sensor ORDER BY sensor LIMIT ?`, &i.Sensors},
	} {
		if *part.to, err = in.texts(part.query, id, maxListed); err != nil {
			return i, err
		}
	}
	return i, nil
}

func (in *ingest) texts(query string, args ...any) ([]string, error) {
	found, err := in.query(query, args...)
	if err != nil {
		return nil, err
	}
	var out []string
	err = scanAll(found, func(r *sql.Rows) error {
		var s string
		err := r.Scan(&s)
		out = append(out, s)
		return err
	})
	return out, err
}

func (in *ingest) writeIncident(i IncidentRow) error {
	lists := make([]any, 3)
	for n, l := range [][]string{i.Devices, i.Rules, i.Sensors} {
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		lists[n] = string(b)
	}
	_, err := in.exec(`INSERT INTO incidents (id, change, open, severity, risk, title, first_at, last_at, alerts, devices, rules, sensors)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET change = excluded.change, open = excluded.open, severity = excluded.severity,
		risk = excluded.risk, title = excluded.title, first_at = excluded.first_at, last_at = excluded.last_at, alerts = excluded.alerts,
		devices = excluded.devices, rules = excluded.rules, sensors = excluded.sensors`,
		i.ID, i.Change, i.Open, severityRank(i.Severity), i.RiskScore, i.Title, i.First, i.Last, i.Alerts, lists[0], lists[1], lists[2])
	return err
}
