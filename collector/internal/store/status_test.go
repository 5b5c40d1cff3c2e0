// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"testing"
	"time"

	"stillwatch/schemas"
)

func statusRecord(t *testing.T, sensor, state string) StatusRecord {
	t.Helper()
	s := &schemas.Status{Schema: schemas.StatusSchema, Sensor: schemas.AlertSensor{ID: sensor, Version: "2", LossRatio: 0.25}, Time: day, State: state, Tables: []schemas.StatusTable{}}
	line, err := schemas.AppendStatus(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	return StatusRecord{s, line}
}

// TestStatusOfASensor stores the status of a sensor that has sent alerts, and of one that has not.
func TestStatusOfASensor(t *testing.T) {
	s, ctx := open(t), context.Background()
	apply(t, s, records(t, 0, 5))
	if rows, err := s.Sensors(ctx); err != nil || rows[0].State(time.Now()) != "unknown" || rows[0].Status != nil {
		t.Fatalf("%+v, %v", rows, err)
	}
	apply(t, s, Batch{Statuses: []StatusRecord{statusRecord(t, "sensor-1", "running"), statusRecord(t, "sensor-2", "running")}})
	rows, err := s.Sensors(ctx)
	if err != nil || len(rows) != 2 || rows[0].Alerts != 5 || rows[0].Version != "2" || rows[0].MaxLoss != 0.25 || rows[1].Alerts != 0 || len(rows[1].Status) == 0 {
		t.Fatalf("%+v, %v", rows, err)
	}
	now := rows[0].Heard
	for _, c := range []struct {
		at   time.Time
		want string
	}{{now, "running"}, {now.Add(SilentAfter), "running"}, {now.Add(SilentAfter + time.Second), "unheard"}} {
		if got := rows[0].State(c.at); got != c.want {
			t.Errorf("%s after the status: %s, want %s", c.at.Sub(now), got, c.want)
		}
	}
	apply(t, s, Batch{Statuses: []StatusRecord{statusRecord(t, "sensor-1", "stopped")}})
	if rows, err = s.Sensors(ctx); err != nil || rows[0].State(now.Add(time.Hour)) != "stopped" {
		t.Errorf("%+v, %v", rows, err)
	}
	apply(t, s, records(t, 5, 9))
	if rows, err = s.Sensors(ctx); err != nil || rows[0].State(now) != "stopped" || rows[0].Alerts != 9 {
		t.Errorf("after more alerts: %+v, %v", rows, err)
	}
}
