// SPDX-License-Identifier: Apache-2.0

package console

import (
	"net/http"
	"slices"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

var (
	roles   = []string{"camera", "nvr", "vms", "server", "workstation", "phone", "printer", "network_gear", "iot_hub", "iot", "unknown"}
	expects = []string{"silent", "server_only", "allowlist", "normal"}
)

type devicesBody struct {
	Form     form
	Roles    []choice
	Expects  []choice
	Devices  []deviceRow
	Filtered bool
	Next     verbatim
	First    verbatim
}

func (k *Console) devices(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := store.DeviceFilter{Role: known(q["role"], roles), Expect: known(q["expect"], expects), Text: q.Get("q"), Alerts: q.Get("alerts") != ""}
	list, err := k.store.Devices(r.Context(), f, store.Page{Cursor: q.Get("cursor"), Limit: 50})
	if err != nil {
		return err
	}
	body := devicesBody{
		Form: formOf(q, "q", "alerts"), Roles: choices(roles, q["role"]), Expects: choices(expects, q["expect"]), Devices: deviceRows(list.Devices),
		Filtered: filtered(q), Next: next(q, "/devices", list.Next), First: first(q, "/devices"),
	}
	return k.show(w, r, http.StatusOK, "devices", page{Title: "Devices", Nav: "devices", Live: q.Get("cursor") == "", Body: body})
}

type deviceBody struct {
	Device    deviceRow
	Violated  bool // it has an open alert despite its expectation
	Activity  activity
	Evidence  []evidenceRow
	Sums      []sumRow
	Proposal  *proposal // nil if the inventory of the sensor names it
	Alerts    []alertRow
	Incidents []incidentRow
	AllURL    verbatim
	JSON      verbatim
}

type evidenceRow struct {
	schemas.RoleEvidence
	Width int // of its bar, 0 to 100
	Minus bool
}

func (k *Console) device(w http.ResponseWriter, r *http.Request) error {
	ctx, key := r.Context(), r.URL.Query().Get("key")
	row, err := k.store.Device(ctx, key)
	if err != nil {
		return err
	}
	body := deviceBody{
		Device: deviceRows([]store.DeviceRow{row})[0], Violated: row.Open > 0 && slices.Contains(restricted, row.Device.Expect),
		Evidence: bars(row.Device.Evidence), Sums: sumRows(row.Device.Sums), Proposal: propose(&row.Device), AllURL: listURL("/alerts", "device", key), JSON: pretty(row.JSON),
	}
	if body.Activity, err = k.activity(ctx, &row); err != nil {
		return err
	}
	alerts, err := k.store.Alerts(ctx, store.AlertFilter{Device: key}, store.Page{Limit: 15})
	if err != nil {
		return err
	}
	incidents, err := k.store.Incidents(ctx, store.IncidentFilter{Device: key}, store.Page{Limit: 5})
	if err != nil {
		return err
	}
	body.Alerts, body.Incidents = alertRows(alerts.Alerts), incidentRows(incidents.Incidents)
	shorten(&body.Device.Device)
	return k.show(w, r, http.StatusOK, "device", page{Title: "Device " + key, Nav: "devices", Live: true, Body: body})
}

// shorten limits the lists of a device record: an attacker could give a device thousands of names.
func shorten(d *schemas.Device) {
	d.IPs, d.Hostnames, d.VLANs = d.IPs[:min(len(d.IPs), 20)], d.Hostnames[:min(len(d.Hostnames), 20)], d.VLANs[:min(len(d.VLANs), 20)]
	d.Serves, d.Findings = d.Serves[:min(len(d.Serves), 100)], d.Findings[:min(len(d.Findings), 50)]
}

// bars returns the evidence with the width of each bar, relative to the longest.
func bars(all []schemas.RoleEvidence) []evidenceRow {
	all = all[:min(len(all), 100)]
	longest := 1.0
	for _, e := range all {
		longest = max(longest, e.PointsDB, -e.PointsDB)
	}
	out := make([]evidenceRow, len(all))
	for i, e := range all {
		out[i] = evidenceRow{RoleEvidence: e, Width: int(100 * max(e.PointsDB, -e.PointsDB) / longest), Minus: e.PointsDB < 0}
	}
	return out
}

// sumRow is how the evidence for one role or vendor adds up.
type sumRow struct {
	schemas.EvidenceSum
	Width int // of its bar, 0 to 100
	Minus bool
}

func sumRows(all []schemas.EvidenceSum) []sumRow {
	all = all[:min(len(all), 16)]
	longest := 1.0
	for _, s := range all {
		longest = max(longest, s.PointsDB, -s.PointsDB)
	}
	out := make([]sumRow, len(all))
	for i, s := range all {
		out[i] = sumRow{EvidenceSum: s, Width: int(100 * max(s.PointsDB, -s.PointsDB) / longest), Minus: s.PointsDB < 0}
	}
	return out
}
