// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"stillwatch/schemas"
)

func TestFilters(t *testing.T) {
	s, ctx := open(t), context.Background()
	apply(t, s, records(t, 0, 40, func(a *schemas.Alert) {
		if a.RiskScore%2 == 0 {
			a.Action = "close"
		}
		if a.RiskScore == 7 {
			a.IncidentID, a.Rule.ID, a.Rule.Kind, a.Sensor.ID = alertID(777), "D02", "scan", "sensor-2"
			a.Device.MAC = schemas.MAC{0x02, 0xaa, 0xbb, 0, 0, 1}
			a.Time.Replay = true
			a.SuppressedBy = "night-backup"
		}
	}))
	yes, no := true, false
	for _, c := range []struct {
		name string
		f    AlertFilter
		want int
	}{
		{"all", AlertFilter{}, 40},
		{"severity", AlertFilter{Severity: []string{"critical", "high"}}, 16},
		{"unknown severity", AlertFilter{Severity: []string{"awful"}}, 0},
		{"rule", AlertFilter{Rule: []string{"D02"}}, 1},
		{"rule kind", AlertFilter{Rule: []string{"scan", "unexpected_outbound"}}, 40},
		{"device", AlertFilter{Device: "camera-3"}, 1},
		{"peer", AlertFilter{Peer: "198.51.100.23"}, 40},
		{"peer's name", AlertFilter{Peer: "relay.EXAMPLE.net"}, 40},
		{"address", AlertFilter{IP: "10.20.0.7"}, 1},
		{"MAC", AlertFilter{MAC: "02:AA:bb:00:00:01"}, 1},
		{"Community ID", AlertFilter{CommunityID: "1:LQU9qZlK+B5F3KDmev6m5P00012="}, 1},
		{"Community ID in another case", AlertFilter{CommunityID: "1:lqu9qzlk+b5f3kdmev6m5p00012="}, 0},
		{"incident", AlertFilter{Incident: alertID(777)}, 1},
		{"sensor", AlertFilter{Sensor: "sensor-2"}, 1},
		{"open", AlertFilter{State: "open"}, 20},
		{"closed", AlertFilter{State: "closed"}, 20},
		{"replay", AlertFilter{Replay: &yes}, 1},
		{"live", AlertFilter{Replay: &no}, 39},
		{"suppressed", AlertFilter{Suppressed: &yes}, 1},
		{"not suppressed", AlertFilter{Suppressed: &no}, 39},
		{"time", AlertFilter{From: day + 10e9, To: day + 20e9}, 10},
		{"risk", AlertFilter{MinRisk: 30}, 10},
		{"words", AlertFilter{Text: "CAMERA-12 outward"}, 1},
		{"beginning of a word", AlertFilter{Text: "unexp"}, 39 + 1},
		{"address as text", AlertFilter{Text: "10.20.0.12"}, 1},
		{"Community ID as text", AlertFilter{Text: "1:LQU9qZlK+B5F3KDmev6m5P00012="}, 1},
		{"operators are words", AlertFilter{Text: `camera OR "nothing" NOT (x`}, 0},
		{"nothing to search", AlertFilter{Text: `"*`}, 0},
		{"two at once", AlertFilter{State: "open", Text: "camera", Severity: []string{"low"}}, 4},
	} {
		list, err := s.Alerts(ctx, c.f, Page{Limit: 1000})
		n, err2 := s.CountAlerts(ctx, c.f, 0)
		if err != nil || err2 != nil || len(list.Alerts) != c.want || n != c.want {
			t.Errorf("%s: %d listed, %d counted, want %d; %v %v", c.name, len(list.Alerts), n, c.want, err, err2)
		}
	}
}

// TestSuppressedIsFoundInOldDatabases opens a database that was written before the column was there.
func TestSuppressedIsFoundInOldDatabases(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "old.db")
	s, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, records(t, 0, 9, func(a *schemas.Alert) {
		if a.RiskScore == 7 {
			a.SuppressedBy = "night-backup"
		}
	}))
	for _, q := range []string{"DROP INDEX alerts_at", "DROP INDEX alerts_risk", "ALTER TABLE alerts DROP COLUMN suppressed", "CREATE INDEX alerts_at ON alerts (at)",
		"CREATE INDEX alerts_risk ON alerts (risk)", "DELETE FROM goose_db_version WHERE version_id = 7"} {
		if _, err := s.write.ExecContext(ctx, q); err != nil {
			t.Fatal(q, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(ctx, path); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for suppressed, want := range map[bool]int{true: 1, false: 8} {
		list, err := s.Alerts(ctx, AlertFilter{Suppressed: &suppressed}, Page{})
		if err != nil || len(list.Alerts) != want || list.Alerts[0].Alert.SuppressedBy != "" != suppressed {
			t.Errorf("suppressed %v: %d alerts, %v, want %d", suppressed, len(list.Alerts), err, want)
		}
	}
}

func TestPagingWhileAlertsArrive(t *testing.T) {
	for _, order := range []Order{Newest, Oldest, Riskiest} {
		t.Run(string(order), func(t *testing.T) {
			s, ctx := open(t), context.Background()
			same := func(a *schemas.Alert) { a.Time.EventStart = day + schemas.Time(a.Sensor.Seq/10)*1e9 } // ties
			apply(t, s, records(t, 0, 95, same))
			var got []int64
			p := Page{Limit: 10, Order: order}
			for n := 0; ; n++ {
				list, err := s.Alerts(ctx, AlertFilter{}, p)
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range list.Alerts {
					if a.Row <= 95 {
						got = append(got, a.Row)
					}
				}
				if p.Cursor = list.Next; p.Cursor == "" {
					break
				}
				apply(t, s, records(t, 1000+n, 1001+n, same))
			}
			unique := slices.Clone(got)
			slices.Sort(unique)
			if unique = slices.Compact(unique); len(got) != 95 || len(unique) != 95 {
				t.Errorf("%d returned, %d of them different, want 95", len(got), len(unique))
			}
		})
	}
}

func TestInvalidCursor(t *testing.T) {
	s, ctx := open(t), context.Background()
	apply(t, s, records(t, 0, 10))
	list, err := s.Alerts(ctx, AlertFilter{}, Page{Limit: 3})
	if err != nil || list.Next == "" {
		t.Fatal(list.Next, err)
	}
	for _, p := range []Page{{Cursor: "x"}, {Cursor: "e30"}, {Cursor: list.Next, Order: Oldest}, {Order: "sideways"}} {
		if _, err := s.Alerts(ctx, AlertFilter{}, p); !errors.Is(err, ErrCursor) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if _, err := s.Devices(ctx, DeviceFilter{}, Page{Cursor: list.Next}); !errors.Is(err, ErrCursor) {
		t.Errorf("another list: %v", err)
	}
}

func TestPagingOfDevicesAndIncidents(t *testing.T) {
	s, ctx := open(t), context.Background()
	apply(t, s, records(t, 0, 30, func(a *schemas.Alert) { a.IncidentID = alertID(5000 + a.RiskScore/3) }))
	p, devices, incidents := Page{Limit: 7}, map[string]bool{}, map[string]bool{}
	for {
		list, err := s.Devices(ctx, DeviceFilter{Text: "CAMERA", Expect: []string{"silent"}, Alerts: true}, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list.Devices {
			devices[d.Key] = true
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			break
		}
	}
	for p := (Page{Limit: 3, Order: Riskiest}); ; {
		list, err := s.Incidents(ctx, IncidentFilter{State: "open"}, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list.Incidents {
			incidents[i.ID] = true
		}
		if p.Cursor = list.Next; p.Cursor == "" {
			break
		}
	}
	if len(devices) != 30 || len(incidents) != 10 {
		t.Errorf("%d devices, %d incidents", len(devices), len(incidents))
	}
	if list, err := s.Devices(ctx, DeviceFilter{Text: "100%_"}, Page{}); err != nil || len(list.Devices) != 0 {
		t.Errorf("a pattern as text: %d, %v", len(list.Devices), err)
	}
	list, err := s.Incidents(ctx, IncidentFilter{Device: "camera-4", Text: "outward", Severity: []string{"critical"}}, Page{})
	if err != nil || len(list.Incidents) != 1 {
		t.Errorf("by device: %d, %v", len(list.Incidents), err)
	}
}

func TestChangesResume(t *testing.T) {
	s, ctx := open(t), context.Background()
	changed, stop := s.Watch()
	defer stop()
	apply(t, s, records(t, 0, 10))
	<-changed
	var got []Change
	for after := int64(0); ; {
		part, err := s.Changes(ctx, after, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(part) == 0 {
			break
		}
		got, after = append(got, part...), part[len(part)-1].Number
	}
	last, _ := s.LastChange(ctx)
	if len(got) != 20 || got[19].Number != last || !slices.IsSortedFunc(got, func(a, b Change) int { return int(a.Number - b.Number) }) {
		t.Fatalf("%d changes to %d", len(got), last)
	}
	apply(t, s, records(t, 3, 4, func(a *schemas.Alert) { a.Revision, a.Action = 2, "close" }))
	part, err := s.Changes(ctx, last, 0)
	if err != nil || len(part) != 1 || part[0].ID != alertID(3) || part[0].Row.State != "closed" {
		t.Errorf("%+v, %v", part, err)
	}
}

func TestOverview(t *testing.T) {
	s, ctx := open(t), context.Background()
	apply(t, s, records(t, 0, 10, func(a *schemas.Alert) {
		if a.RiskScore == 4 {
			a.Action = "close"
		}
	}))
	o, err := s.Overview(ctx)
	if err != nil || o.Alerts != 10 || o.OpenAlerts != 9 || o.OpenBySeverity["critical"] != 1 || o.Devices != 10 || o.ByExpect["silent"] != 10 || o.Spoke != 9 || o.Sensors != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}
