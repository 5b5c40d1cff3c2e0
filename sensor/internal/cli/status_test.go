// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"testing"
	"time"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
)

func TestStatusOfARun(t *testing.T) {
	m := &metrics.Run{Wall: 90 * time.Second, Port: &metrics.Port{Source: capture.Stats{Received: 900, Drops: capture.Drops{NIC: 1, Ring: 2, XDP: 3, Queue: 4}, Blind: "the link is down"}},
		Summary: pipeline.Summary{Sensor: schemas.AlertSensor{ID: "span-1", RulesHash: "r", ConfigHash: "c"}, InventoryHash: "i",
			Obstacles: []pipeline.Obstacle{{Reason: "no_packets", Text: "no frame has arrived"}}, Tables: []schemas.StatusTable{{Name: "sessions", Used: 1, Limit: 2}}}}
	began := time.Unix(1_772_409_600, 0)
	s := statusOf(m, counters{began, 1000, 5000, 3}, counters{began.Add(20 * time.Second), 3000, 15000, 5})
	s.State = "running"
	if s.Rates != (schemas.StatusRates{Packets: 100, Bits: 4000, Alerts: 0.1}) || s.Loss != (schemas.StatusLoss{Received: 900, NIC: 1, Ring: 2, XDP: 3, Queue: 4}) || s.UptimeSeconds != 90 {
		t.Errorf("%+v", s)
	}
	line, err := schemas.AppendStatus(nil, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := schemas.Validate(schemas.KindStatus, line); err != nil || s.Blind != "the link is down" || s.Obstacles[0].Reason != "no_packets" {
		t.Errorf("%s: %v", line, err)
	}
	if s := statusOf(m, counters{began, 1000, 5000, 3}, counters{began, 0, 0, 0}); s.Rates != (schemas.StatusRates{}) {
		t.Errorf("rates over no time: %+v", s.Rates)
	}
}
