// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"stillwatch/schemas"
)

// deviceColumns includes counts over the alerts of a device, which are computed only for the rows of a page.
const deviceColumns = `d.row, d.key, d.change, d.from_alert, d.last_seen, d.json,
	(SELECT count(*) FROM alerts a WHERE a.device = d.key AND a.open), (SELECT count(*) FROM alerts a WHERE a.device = d.key),
	(SELECT max(a.severity) FROM alerts a WHERE a.device = d.key AND a.open), (SELECT max(a.risk) FROM alerts a WHERE a.device = d.key AND a.open),
	(SELECT max(a.at) FROM alerts a WHERE a.device = d.key)`

// Devices implements Records. Its orders are Newest and Oldest.
func (s *SQLite) Devices(ctx context.Context, f DeviceFilter, p Page) (DeviceList, error) {
	var w where
	w.any("d.role", anys(f.Role))
	w.any("d.expect", anys(f.Expect))
	if f.Text != "" {
		w.add(`d.text LIKE ? ESCAPE '\'`, like(f.Text[:min(len(f.Text), 200)]))
	}
	if f.Alerts {
		w.add("EXISTS (SELECT 1 FROM alerts a WHERE a.device = d.key AND a.open)")
	}
	if f.Spoke {
		w.add("EXISTS (SELECT 1 FROM device_hours h WHERE h.device = d.key)")
	}
	order := listOrder{"devices", map[Order]string{Newest: "d.last_seen", Oldest: "d.last_seen"}, "d.row"}
	tail, err := order.page(&w, p)
	if err != nil {
		return DeviceList{}, err
	}
	rs, err := s.read.QueryContext(ctx, `SELECT `+deviceColumns+` FROM devices d `+w.conds+` `+tail, w.args...)
	if err != nil {
		return DeviceList{}, fmt.Errorf("devices: %w", classify(err))
	}
	var list DeviceList
	var places []cursor
	err = scanAll(rs, func(r *sql.Rows) error {
		d, at, err := scanDevice(r.Scan)
		at.List, at.Order = order.list, p.Order
		list.Devices, places = append(list.Devices, d), append(places, at)
		return err
	})
	if err != nil {
		return DeviceList{}, fmt.Errorf("devices: %w", classify(err))
	}
	if n := p.size(); len(list.Devices) > n {
		list.Devices = list.Devices[:n]
		list.Next = places[n-1].String()
	}
	return list, nil
}

func scanDevice(scan func(...any) error) (DeviceRow, cursor, error) {
	var d DeviceRow
	var at cursor
	var line []byte
	var severity, risk, last sql.NullInt64
	if err := scan(&at.Row, &d.Key, &d.Change, &d.FromAlert, &at.Value, &line, &d.Open, &d.Alerts, &severity, &risk, &last); err != nil {
		return d, at, err
	}
	d.JSON, d.RiskScore, d.LastAlert = line, int(risk.Int64), schemas.Time(last.Int64)
	if severity.Valid {
		d.Severity = severityName(int(severity.Int64))
	}
	if err := json.Unmarshal(line, &d.Device); err != nil {
		return d, at, fmt.Errorf("device row %d: %w", at.Row, err)
	}
	return d, at, nil
}

// Device implements Records.
func (s *SQLite) Device(ctx context.Context, key string) (DeviceRow, error) {
	d, _, err := scanDevice(s.read.QueryRowContext(ctx, `SELECT `+deviceColumns+` FROM devices d WHERE d.key = ?`, key).Scan)
	return d, lookupError(err, "device", key)
}

// DeviceHours implements Records.
func (s *SQLite) DeviceHours(ctx context.Context, key string, from, to schemas.Time) ([]DeviceHour, error) {
	const hour = 3600 * 1_000_000_000
	rs, err := s.read.QueryContext(ctx, `SELECT hour, sum(opened), sum(alerts) FROM (
		SELECT hour, 1 AS opened, 0 AS alerts FROM device_hours WHERE device = ? AND hour >= ? AND hour < ?
		UNION ALL SELECT at - at % ?, 0, 1 FROM alerts WHERE device = ? AND at >= ? AND at < ?) GROUP BY hour ORDER BY hour LIMIT 10000`,
		key, from, to, hour, key, from, to)
	if err != nil {
		return nil, classify(err)
	}
	var out []DeviceHour
	err = scanAll(rs, func(r *sql.Rows) error {
		var h DeviceHour
		err := r.Scan(&h.Hour, &h.Opened, &h.Alerts)
		out = append(out, h)
		return err
	})
	return out, classify(err)
}

// like returns a LIKE pattern that matches text anywhere, with wildcards escaped.
func like(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(text)) + "%"
}
