// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/store"
	"stillwatch/schemas"
)

// status has a sensor send its status and stop. The collector stores it, and a record that is no status goes to the dead-letter queue.
func (d *delivery) status() {
	p := d.begin()
	send := func(state string) {
		d.Helper()
		s := &schemas.Status{Schema: schemas.StatusSchema, Sensor: schemas.AlertSensor{ID: "span-1", Site: "hq", Version: "1.0.0", Iface: "span0", Capture: "xdp"},
			InventoryHash: "abc", Time: schemas.Time(time.Now().UnixNano()), State: state, UptimeSeconds: 30, IntervalSeconds: 30, Tables: []schemas.StatusTable{}}
		value, err := schemas.AppendStatus(nil, s)
		if err != nil {
			d.Fatal(err)
		}
		for _, v := range [][]byte{value, []byte(`{"schema":"stillwatch.status/1"}`)} {
			d.produceTo(schemas.StatusTopic, 0, []kafka.Record{{Key: kafka.NewBytes([]byte("span-1")), Value: kafka.NewBytes(v)}})
		}
	}
	for _, state := range []string{"running", "stopped"} {
		send(state)
		until(d.T, "the sensor is "+state, func() bool {
			rows, err := d.store.Sensors(d.Context())
			return err == nil && len(rows) == 1 && rows[0].ID == "span-1" && rows[0].State(time.Now()) == state && rows[0].Capture == "xdp"
		})
	}
	until(d.T, "the broken records are in the dead-letter queue", func() bool {
		dead, err := d.store.DeadLetters(d.Context(), store.Page{})
		return err == nil && len(dead.Records) == 2 && dead.Records[0].Topic == schemas.StatusTopic
	})
	if heard, _ := p.findMetric(`stillwatch_collector_sensor_heard{sensor="span-1"}`); heard != 1 {
		d.Error("the metric says that the sensor is not heard")
	}
	p.stop()
}
