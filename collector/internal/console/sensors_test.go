// SPDX-License-Identifier: Apache-2.0

package console

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// TestStatusOfSensors shows the status of a sensor, and that it is not heard when that is old.
func TestStatusOfSensors(t *testing.T) {
	b := newFixture(t)
	s := &schemas.Status{Schema: schemas.StatusSchema, Sensor: schemas.AlertSensor{ID: "span-1", Capture: "xdp", Iface: "<b>0", RulesHash: "0123456789abcdef"}, State: "running",
		UptimeSeconds: 7200, Rates: schemas.StatusRates{Packets: 1234, Bits: 5_600_000}, Spool: schemas.StatusSpool{Records: 9, OldestSeconds: 8},
		Tables: []schemas.StatusTable{{Name: "silence_bytes", Used: 10, Limit: 20}}, Blind: "the <i>link</i> is down", Obstacles: []schemas.StatusObstacle{{Reason: "x", Text: "no frame has arrived"}}}
	line, err := schemas.AppendStatus(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Apply(context.Background(), store.Batch{Statuses: []store.StatusRecord{{Status: s, JSON: line}}}); err != nil {
		t.Fatal(err)
	}
	c := b.as(t, auth.Viewer)
	body := b.get(t, c, "/sensors")
	for _, want := range []string{"running, heard at", "1234", "5.6", "oldest 8 s", "silence bytes", "10 of 20", "0123456789ab<", "the &lt;i&gt;link", "no frame has arrived", "2 h"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	db, err := sql.Open("sqlite", b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE sensors SET heard = ?`, time.Now().Add(-3*time.Minute).UnixNano()); err != nil {
		t.Fatal(err)
	}
	if body := b.get(t, c, "/sensors"); !strings.Contains(body, "not heard since") || strings.Contains(body, "running, heard") {
		t.Error("the page does not say that the sensor is not heard")
	}
}
