// SPDX-License-Identifier: Apache-2.0

package store

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
)

// incidentRecords stores the last revisions of the incident records of a batch. The first sensor that writes an incident owns it: records
// of others with the same id are ignored. The incidents whose alerts are stored already get the title of the record.
func (in *ingest) incidentRecords(b Batch) error {
	changed := map[string]bool{}
	for _, r := range b.Incidents {
		var revision int
		var sensor string
		err := in.row(`SELECT revision, sensor FROM incident_records WHERE id = ?`, r.Incident.ID).Scan(&revision, &sensor)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && (revision >= r.Incident.Revision || sensor != r.Incident.Sensor.ID) {
			in.applied.Duplicates++
			continue
		}
		if _, err := in.exec(`INSERT INTO incident_records (id, revision, sensor, title, json) VALUES (?,?,?,?,?)
			ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, title = excluded.title, json = excluded.json`,
			r.Incident.ID, r.Incident.Revision, r.Incident.Sensor.ID, r.Incident.Title, r.JSON); err != nil {
			return err
		}
		in.applied.Incidents++
		changed[r.Incident.ID] = true
	}
	return in.retitle(changed)
}

// retitle recomputes the incidents that have alerts, with a new change number, so that the event stream reports them.
func (in *ingest) retitle(ids map[string]bool) error {
	for id := range ids {
		var row int64
		err := in.row(`SELECT row FROM incidents WHERE id = ?`, id).Scan(&row)
		if errors.Is(err, sql.ErrNoRows) {
			delete(ids, id) // its alerts follow, and take the title along
			continue
		}
		if err != nil {
			return err
		}
	}
	if err := in.incidents(ids); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if _, err := in.exec(`UPDATE incidents SET change = ? WHERE id = ?`, in.next(), id); err != nil {
			return err
		}
	}
	return nil
}

// titleOf returns the title of the record of an incident, "" if there is none.
func (in *ingest) titleOf(id string) (title string, err error) {
	err = in.row(`SELECT title FROM incident_records WHERE id = ?`, id).Scan(&title)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return title, err
}
