// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"stillwatch/schemas"
)

func TestFixtureMatchesSchema(t *testing.T) {
	if err := schemas.Validate(schemas.KindAlert, record(t, 7).JSON); err != nil {
		t.Fatal(err)
	}
}

func TestApplyIsIdempotent(t *testing.T) {
	s, ctx := open(t), context.Background()
	b := records(t, 0, 20)
	b.Alerts = append(b.Alerts, b.Alerts[3])
	if got := apply(t, s, b); got != (Applied{Alerts: 20, Duplicates: 1}) {
		t.Fatalf("first: %+v", got)
	}
	before, _ := s.LastChange(ctx)
	again := records(t, 0, 20, func(a *schemas.Alert) { a.Title, a.Sensor.Seq = "another", a.Sensor.Seq+100 })
	if got := apply(t, s, again); got != (Applied{Duplicates: 20}) {
		t.Fatalf("again: %+v", got)
	}
	after, _ := s.LastChange(ctx)
	row, err := s.Alert(ctx, alertID(3))
	if err != nil || row.Alert.Title != "camera-3 opened a session outward" || before != after {
		t.Errorf("title %q, changes %d to %d, %v", row.Alert.Title, before, after, err)
	}
}

func TestRevisionsInAnyOrder(t *testing.T) {
	rev := func(n int, action, severity string) func(*schemas.Alert) {
		return func(a *schemas.Alert) { a.Revision, a.Action, a.Severity = n, action, severity }
	}
	r1, r2, r3 := record(t, 1), record(t, 1, rev(2, "update", "high")), record(t, 1, rev(3, "close", "critical"))
	for name, batches := range map[string][]Batch{
		"one batch":           {{Alerts: []AlertRecord{r1, r2, r3}}},
		"one batch, reversed": {{Alerts: []AlertRecord{r3, r2, r1}}},
		"one by one":          {{Alerts: []AlertRecord{r1}}, {Alerts: []AlertRecord{r2}}, {Alerts: []AlertRecord{r3}}},
		"late first":          {{Alerts: []AlertRecord{r3}}, {Alerts: []AlertRecord{r1, r2}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, ctx := open(t), context.Background()
			for _, b := range batches {
				apply(t, s, b)
			}
			row, err := s.Alert(ctx, alertID(1))
			if err != nil || row.Revision != 3 || row.State != "closed" || row.Alert.Severity != "critical" {
				t.Errorf("revision %d %s %s, %v", row.Revision, row.State, row.Alert.Severity, err)
			}
			all, err := s.Revisions(ctx, alertID(1))
			if err != nil || len(all) != 3 || all[0].Revision != 1 || all[2].Revision != 3 {
				t.Errorf("%d revisions, %v", len(all), err)
			}
			if n, _ := s.CountAlerts(ctx, AlertFilter{Text: "camera-1"}, 0); n != 1 {
				t.Errorf("found %d times", n)
			}
		})
	}
}

func TestIncidentSummarizesAlerts(t *testing.T) {
	s, ctx := open(t), context.Background()
	id := alertID(9999)
	b := records(t, 0, 5, func(a *schemas.Alert) { a.IncidentID = id })
	apply(t, s, b)
	i, err := s.Incident(ctx, id)
	want := IncidentRow{ID: id, Change: i.Change, State: "open", Severity: "critical", RiskScore: 4, Title: "camera-4 opened a session outward",
		First: day, Last: day + 5e9, Alerts: 5, Open: 5, Devices: []string{"camera-0", "camera-1", "camera-2", "camera-3", "camera-4"},
		Rules: []string{"D01"}, Sensors: []string{"sensor-1"}}
	if err != nil || !reflect.DeepEqual(i, want) {
		t.Fatalf("%+v, %v\nwant %+v", i, err, want)
	}
	closed := records(t, 0, 5, func(a *schemas.Alert) { a.IncidentID, a.Revision, a.Action = id, 2, "close" })
	apply(t, s, closed)
	if i, _ := s.Incident(ctx, id); i.State != "closed" || i.Alerts != 5 || i.Open != 0 {
		t.Errorf("after the close: %+v", i)
	}
	moved := records(t, 0, 5, func(a *schemas.Alert) { a.IncidentID, a.Revision, a.Action = alertID(8888), 3, "update" })
	apply(t, s, moved)
	if _, err := s.Incident(ctx, id); !errors.Is(err, ErrNotFound) {
		t.Errorf("an incident without alerts: %v", err)
	}
}

func TestDeviceRecordReplacesAlertData(t *testing.T) {
	s, ctx := open(t), context.Background()
	apply(t, s, records(t, 1, 2))
	d, err := s.Device(ctx, "camera-1")
	if err != nil || !d.FromAlert || d.Device.Role != "camera" || d.Open != 1 {
		t.Fatalf("from an alert: %+v, %v", d, err)
	}
	if err := schemas.Validate(schemas.KindDevice, d.JSON); err != nil {
		t.Error(err)
	}
	device := func(vendor string, seen schemas.Time) DeviceRecord {
		r := &schemas.Device{Schema: schemas.DeviceSchema, Key: "camera-1", Vendor: vendor, Role: "camera", RoleLevel: "hint", Expect: "silent", LastSeen: seen, LastOrigination: &seen}
		line, _ := schemas.AppendDevice(nil, r)
		return DeviceRecord{r, line}
	}
	got := apply(t, s, Batch{Devices: []DeviceRecord{device("Acme", day), device("Older", day-5)}})
	if d, _ := s.Device(ctx, "camera-1"); d.FromAlert || d.Device.Vendor != "Acme" || got.Devices != 1 {
		t.Errorf("%+v, applied %+v", d.Device, got)
	}
	if got := apply(t, s, Batch{Devices: []DeviceRecord{device("Acme", day), device("Older", day-9)}}); got.Devices != 0 {
		t.Errorf("the same again: %+v", got)
	}
	hours, err := s.DeviceHours(ctx, "camera-1", day-7*24*3600e9, day+3600e9)
	if err != nil || len(hours) != 1 || hours[0].Opened != 4 || hours[0].Alerts != 1 {
		t.Errorf("hours %+v, %v", hours, err)
	}
}

func TestDeadLettersAreStoredOnce(t *testing.T) {
	s, ctx := open(t), context.Background()
	d := DeadLetter{Topic: "t", Partition: 1, Offset: 2, Reason: "no JSON", Value: make([]byte, 100_000)}
	for range 2 {
		apply(t, s, Batch{Dead: []DeadLetter{d}})
	}
	list, err := s.DeadLetters(ctx, Page{})
	if err != nil || len(list.Records) != 1 || len(list.Records[0].Value) != 64<<10 || list.Records[0].Size != 100_000 {
		t.Errorf("%d records, %v", len(list.Records), err)
	}
}

func TestLockedDatabaseIsRetryable(t *testing.T) {
	s, ctx := open(t), context.Background()
	var path string
	var seq int
	var name string
	if err := s.read.QueryRow(`PRAGMA database_list`).Scan(&seq, &name, &path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec(`PRAGMA busy_timeout = 50`); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", filepath.Clean(path))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	b := records(t, 0, 3)
	if _, err := s.Apply(ctx, b); !errors.Is(err, ErrRetry) {
		t.Fatalf("locked: %v", err)
	}
	if _, err := other.Exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if got := apply(t, s, b); got.Alerts != 3 {
		t.Errorf("after the lock: %+v", got)
	}
}

func TestConcurrentOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.db")
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			s, err := Open(context.Background(), path)
			if err == nil {
				err = s.Close()
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestErrorClasses checks that only errors that prove that the data is invalid are ErrRejected.
func TestErrorClasses(t *testing.T) {
	s := open(t)
	for query, want := range map[string]error{
		`INSERT INTO counter (id, change) VALUES (2, 0)`: ErrRejected, // CHECK
		`INSERT INTO dead_letters (id) VALUES ('x')`:     ErrRejected, // datatype mismatch
		`INSERT INTO nowhere VALUES (1)`:                 ErrRetry,    // SQLITE_ERROR
		`ATTACH '/nowhere/at/all.db' AS other`:           ErrRetry,    // SQLITE_CANTOPEN
	} {
		_, err := s.write.ExecContext(t.Context(), query)
		if err = classify(err); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", query, err, want)
		}
	}
}

func TestErrorWithinBatchIsRetryable(t *testing.T) {
	s := open(t)
	if _, err := s.write.ExecContext(t.Context(), `ALTER TABLE boots RENAME TO gone`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Apply(t.Context(), records(t, 0, 2)); !errors.Is(err, ErrRetry) {
		t.Error(err)
	}
	if _, err := s.write.ExecContext(t.Context(), `ALTER TABLE gone RENAME TO boots`); err != nil {
		t.Fatal(err)
	}
	if got := apply(t, s, records(t, 0, 2)); got.Alerts != 2 {
		t.Errorf("%+v", got)
	}
}

// TestDeviceRecordIsCompleted checks that a record of a sensor without saved state does not delete first_seen and last_origination.
func TestDeviceRecordIsCompleted(t *testing.T) {
	s, ctx := open(t), context.Background()
	device := func(first, seen schemas.Time, opened *schemas.Time) DeviceRecord {
		r := &schemas.Device{Schema: schemas.DeviceSchema, Key: "cam", Role: "camera", RoleLevel: "hint", Expect: "silent", FirstSeen: first, LastSeen: seen, LastOrigination: opened}
		line, err := schemas.AppendDevice(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		return DeviceRecord{r, line}
	}
	at := day
	for _, batch := range [][]DeviceRecord{{device(day, day, &at), device(0, day+1e9, nil)}, {device(0, day+2e9, nil)}} {
		apply(t, s, Batch{Devices: batch})
		d, err := s.Device(ctx, "cam")
		last := batch[len(batch)-1].Device.LastSeen
		if err != nil || d.Device.LastOrigination == nil || *d.Device.LastOrigination != at || d.Device.FirstSeen != day || d.Device.LastSeen != last {
			t.Fatalf("%+v, %v", d.Device, err)
		}
		if got := apply(t, s, Batch{Devices: batch[len(batch)-1:]}); got.Devices != 0 {
			t.Errorf("the same again: %+v", got)
		}
	}
}

// incidentRecord returns a revision of the record of the incident of an alert.
func incidentRecord(t *testing.T, a *schemas.Alert, sensor string, revision int, title string) IncidentRecord {
	t.Helper()
	i := &schemas.Incident{
		Schema: schemas.IncidentSchema, ID: a.IncidentID, Revision: revision, Action: "update", Sensor: schemas.AlertSensor{ID: sensor}, Title: title,
		Time:      schemas.IncidentTime{First: a.Time.EventStart, Last: a.Time.EventEnd, DetectedAt: a.Time.DetectedAt},
		Narrative: []schemas.IncidentSentence{{Time: a.Time.EventStart, Text: "It happened."}}, Severity: "high", RiskScore: 70, Probability: 0.7, AlertsTotal: 1,
	}
	line, err := schemas.AppendIncident(nil, i)
	if err == nil {
		err = schemas.Validate(schemas.KindIncident, line)
	}
	if err != nil {
		t.Fatal(err)
	}
	return IncidentRecord{Incident: i, JSON: line}
}

// The title of an incident is that of the last record of the sensor that wrote the first one, in whatever order alerts and records arrive.
func TestIncidentRecords(t *testing.T) {
	id := alertID(900)
	alert := record(t, 1, func(a *schemas.Alert) { a.IncidentID = id })
	rev := func(sensor string, n int, title string) IncidentRecord {
		return incidentRecord(t, alert.Alert, sensor, n, title)
	}
	for name, batches := range map[string][]Batch{
		"alert first":      {{Alerts: []AlertRecord{alert}}, {Incidents: []IncidentRecord{rev("s", 1, "one")}}, {Incidents: []IncidentRecord{rev("s", 2, "two")}}},
		"record first":     {{Incidents: []IncidentRecord{rev("s", 2, "two")}}, {Alerts: []AlertRecord{alert}}},
		"late revision":    {{Alerts: []AlertRecord{alert}, Incidents: []IncidentRecord{rev("s", 2, "two"), rev("s", 1, "one")}}},
		"sent twice":       {{Alerts: []AlertRecord{alert}, Incidents: []IncidentRecord{rev("s", 2, "two")}}, {Incidents: []IncidentRecord{rev("s", 2, "two")}}},
		"another sensor's": {{Alerts: []AlertRecord{alert}, Incidents: []IncidentRecord{rev("s", 2, "two")}}, {Incidents: []IncidentRecord{rev("t", 9, "forged")}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, ctx := open(t), context.Background()
			for _, b := range batches {
				apply(t, s, b)
			}
			row, err := s.Incident(ctx, id)
			if err != nil || row.Title != "two" || row.Alerts != 1 || row.Record == nil || row.Record.Revision != 2 || row.Record.Narrative[0].Text != "It happened." {
				t.Errorf("%+v, %v", row, err)
			}
			list, err := s.Incidents(ctx, IncidentFilter{}, Page{})
			if err != nil || len(list.Incidents) != 1 || list.Incidents[0].Title != "two" {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
	s := open(t)
	apply(t, s, Batch{Alerts: []AlertRecord{alert}})
	before, _ := s.LastChange(context.Background())
	apply(t, s, Batch{Incidents: []IncidentRecord{rev("s", 1, "one")}})
	if after, _ := s.LastChange(context.Background()); after <= before {
		t.Errorf("change %d to %d: the event stream does not report a record", before, after)
	}
	if row, err := s.Incident(context.Background(), id); err != nil || row.Change <= before {
		t.Errorf("change %d, %v", row.Change, err)
	}
}
