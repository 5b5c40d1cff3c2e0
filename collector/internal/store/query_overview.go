// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
)

// Overview implements Records.
func (s *SQLite) Overview(ctx context.Context) (Overview, error) {
	o := Overview{OpenBySeverity: map[string]int{}, ByExpect: map[string]int{}}
	for _, name := range severities() {
		o.OpenBySeverity[name] = 0
	}
	err := s.scanQuery(ctx, `SELECT severity, count(*) FROM alerts WHERE open = 1 GROUP BY severity`, func(r *sql.Rows) error {
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
	err = s.scanQuery(ctx, `SELECT expect, count(*) FROM devices GROUP BY expect`, func(r *sql.Rows) error {
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
	return o, classify(err)
}

func (s *SQLite) scanQuery(ctx context.Context, query string, scan func(*sql.Rows) error) error {
	rs, err := s.read.QueryContext(ctx, query)
	if err != nil {
		return classify(err)
	}
	return classify(scanAll(rs, scan))
}
