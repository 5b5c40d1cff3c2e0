// SPDX-License-Identifier: Apache-2.0

package store

import (
	"database/sql"
	"slices"
	"strings"

	"stillwatch/schemas"
)

// alertState is the state of an alert after the batch.
type alertState struct {
	row       int64
	revision  int // the latest, which the columns describe; 0: none yet
	known     map[int]bool
	incident  string // before the batch, "" if there was none
	at        schemas.Time
	fresh     bool // not stored before the batch
	changed   bool
	latest    *schemas.Alert // set when a revision of this batch is the latest
	revisions []AlertRecord
}

// alerts stores the new revisions of a batch and the columns of the latest revision of each alert.
func (in *ingest) alerts(b Batch) error {
	if len(b.Alerts) == 0 {
		return nil
	}
	all, order, err := in.knownAlerts(b.Alerts)
	if err != nil {
		return err
	}
	for _, r := range b.Alerts {
		k := all[r.Alert.ID]
		if k.known[r.Alert.Revision] {
			in.applied.Duplicates++
			continue
		}
		k.take(r)
		in.applied.Alerts++
	}
	if err := in.writeRevisions(all, order); err != nil {
		return err
	}
	return in.writeLatest(all, order)
}

// take adds a new revision.
func (k *alertState) take(r AlertRecord) {
	k.known[r.Alert.Revision] = true
	k.revisions = append(k.revisions, r)
	k.changed = true
	if r.Alert.Revision > k.revision {
		k.revision, k.latest = r.Alert.Revision, r.Alert
	}
}

// knownAlerts loads the stored state of the alerts of a batch and assigns row numbers to new ones, in the order of the batch.
func (in *ingest) knownAlerts(records []AlertRecord) (map[string]*alertState, []string, error) {
	all := make(map[string]*alertState, len(records))
	var order []string
	var ids []any
	for _, r := range records {
		if all[r.Alert.ID] == nil {
			all[r.Alert.ID] = &alertState{known: map[int]bool{}, fresh: true, at: r.Alert.Time.EventStart}
			order, ids = append(order, r.Alert.ID), append(ids, r.Alert.ID)
		}
	}
	err := in.each(`SELECT a.id, a.row, a.revision, a.at, a.incident, r.revision FROM alerts a JOIN revisions r ON r.alert = a.row WHERE a.id IN (%s)`,
		ids, func(rs *sql.Rows) error {
			var id, incident string
			var row int64
			var latest, revision int
			var at schemas.Time
			if err := rs.Scan(&id, &row, &latest, &at, &incident, &revision); err != nil {
				return err
			}
			k := all[id]
			k.row, k.revision, k.at, k.incident, k.fresh = row, latest, at, incident, false
			k.known[revision] = true
			return nil
		})
	if err != nil {
		return nil, nil, err
	}
	var last int64
	if err := in.row(`SELECT coalesce(max(row), 0) FROM alerts`).Scan(&last); err != nil {
		return nil, nil, err
	}
	for _, id := range order {
		if k := all[id]; k.fresh {
			last++
			k.row = last
		}
	}
	return all, order, nil
}

// writeRevisions inserts the rows of new alerts, then the revisions, which refer to them.
func (in *ingest) writeRevisions(all map[string]*alertState, order []string) error {
	r := rows{head: `INSERT OR FAIL INTO alerts (row, id, revision, change, open, at, last_at, severity, risk, rule, kind, device, peer, domain, incident, sensor, replay, suppressed, title)`, width: 19}
	v := rows{head: `INSERT OR FAIL INTO revisions (alert, revision, stored_at, json)`, width: 4}
	for _, id := range order {
		k := all[id]
		if k.fresh {
			r.add(append([]any{k.row, id}, in.columns(k)...)...)
		}
		for _, rec := range k.revisions {
			v.add(k.row, rec.Alert.Revision, in.now, rec.JSON)
		}
	}
	if err := in.insert(&r); err != nil {
		return err
	}
	return in.insert(&v)
}

// columns returns the values of the columns of alerts, from revision on.
func (in *ingest) columns(k *alertState) []any {
	a := k.latest
	peer, domain := "", ""
	if a.Peer != nil {
		if a.Peer.IP.IsValid() {
			peer = a.Peer.IP.String()
		}
		if a.Peer.Domain != nil {
			domain = strings.ToLower(a.Peer.Domain.Name)
		}
	}
	return []any{k.revision, in.next(), a.Action != "close", k.at, a.Time.EventEnd, severityRank(a.Severity), a.RiskScore, a.Rule.ID, a.Rule.Kind,
		a.Device.Key, peer, domain, a.IncidentID, a.Sensor.ID, a.Time.Replay, a.SuppressedBy != "", a.Title}
}

// writeLatest updates the rows of known alerts, the search index and the incidents.
func (in *ingest) writeLatest(all map[string]*alertState, order []string) error {
	keys := rows{head: `INSERT OR FAIL INTO alert_keys (key, alert)`, tail: `ON CONFLICT DO NOTHING`, width: 2}
	text := rows{head: `INSERT OR FAIL INTO alerts_text (rowid, words)`, width: 2, least: 4000} // each statement costs a write of the index
	incidents := map[string]bool{}
	for _, id := range order {
		k := all[id]
		if k.latest == nil {
			continue // only older revisions arrived
		}
		if !k.fresh {
			if err := in.update(k); err != nil {
				return err
			}
			incidents[k.incident] = true
		}
		for _, key := range alertKeys(k.latest) {
			keys.add(key, k.row)
		}
		text.add(k.row, alertWords(k.latest))
		incidents[k.latest.IncidentID] = true
	}
	if err := in.insert(&keys); err != nil {
		return err
	}
	if err := in.insert(&text); err != nil {
		return err
	}
	delete(incidents, "")
	return in.incidents(incidents)
}

func (in *ingest) update(k *alertState) error {
	_, err := in.exec(`UPDATE alerts SET revision = ?, change = ?, open = ?, at = ?, last_at = ?, severity = ?, risk = ?,
		rule = ?, kind = ?, device = ?, peer = ?, domain = ?, incident = ?, sensor = ?, replay = ?, suppressed = ?, title = ? WHERE row = ?`,
		append(in.columns(k), k.row)...)
	if err != nil {
		return err
	}
	_, err = in.exec(`DELETE FROM alerts_text WHERE rowid = ?`, k.row)
	return err
}

// alertKeys returns the exact-match keys of an alert, sorted. There are at most 200, so that one record cannot flood the index.
func alertKeys(a *schemas.Alert) []string {
	const most = 200
	var keys []string
	add := func(kind, v string) {
		if v != "" && len(v) <= 300 {
			keys = append(keys, kind+strings.ToLower(v))
		}
	}
	cid := func(v string) {
		if v != "" && len(v) <= 100 {
			keys = append(keys, "cid:"+v) // base64 is case-sensitive
		}
	}
	if a.Session != nil {
		cid(a.Session.CommunityID)
	}
	for _, v := range a.RelatedSessions {
		cid(v)
	}
	if a.Device.IP.IsValid() {
		add("ip:", a.Device.IP.String())
	}
	if a.Device.MAC != (schemas.MAC{}) {
		add("mac:", a.Device.MAC.String())
	}
	if a.Peer != nil && a.Peer.IP.IsValid() {
		add("ip:", a.Peer.IP.String())
	}
	if a.Peer != nil && a.Peer.Domain != nil {
		add("domain:", a.Peer.Domain.Name)
	}
	for _, e := range a.Entities {
		if kind, _, ok := strings.Cut(e, ":"); ok && kind != "device" {
			add("", e)
		}
	}
	keys = keys[:min(len(keys), most)]
	slices.Sort(keys)
	return slices.Compact(keys)
}

// alertWords returns the text of an alert for the full-text index, limited in length.
func alertWords(a *schemas.Alert) string {
	const most = 4 << 10
	parts := []string{a.Title, a.Message, a.Rule.ID, a.Rule.Name, a.Rule.Kind, a.Device.Key, a.Device.Vendor, a.Device.Model, a.Device.Owner, a.Device.Role, a.Sensor.ID, a.Sensor.Site}
	parts = append(parts, alertKeys(a)...)
	for _, t := range a.Attack {
		parts = append(parts, t.Technique)
	}
	s := strings.Join(parts, " ")
	return strings.ToValidUTF8(s[:min(len(s), most)], "")
}

func severityRank(s string) int { return slices.Index(severities(), s) }

// severities returns the severities in ascending order. The database stores the index.
func severities() []string { return []string{"informational", "low", "medium", "high", "critical"} }

func severityName(rank int) string {
	if all := severities(); rank >= 0 && rank < len(all) {
		return all[rank]
	}
	return ""
}
