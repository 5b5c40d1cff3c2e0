// SPDX-License-Identifier: Apache-2.0

package store

import (
	"slices"

	"stillwatch/schemas"
)

// sensorSeen holds the alerts of one sensor, or of one of its runs, in a batch.
type sensorSeen struct {
	alerts []*schemas.Alert
	latest *schemas.Alert // by time emitted
}

// sensors updates the rows of sensors and of their runs.
func (in *ingest) sensors(b Batch) error {
	sensors, boots := map[string]*sensorSeen{}, map[[2]string]*sensorSeen{}
	var sensorOrder []string
	var bootOrder [][2]string
	for _, r := range b.Alerts {
		s := r.Alert.Sensor
		if sensors[s.ID] == nil {
			sensors[s.ID] = &sensorSeen{}
			sensorOrder = append(sensorOrder, s.ID)
		}
		sensors[s.ID].add(r.Alert)
		if s.BootID == "" || s.Seq == 0 {
			continue
		}
		boot := [2]string{s.ID, s.BootID}
		if boots[boot] == nil {
			boots[boot] = &sensorSeen{}
			bootOrder = append(bootOrder, boot)
		}
		boots[boot].add(r.Alert)
	}
	came := map[string]int{}
	for _, boot := range bootOrder {
		n, err := in.boot(boot[0], boot[1], boots[boot])
		if err != nil {
			return err
		}
		came[boot[0]] += n
	}
	for _, id := range sensorOrder {
		if err := in.sensor(id, sensors[id], came[id]); err != nil {
			return err
		}
	}
	return nil
}

func (s *sensorSeen) add(a *schemas.Alert) {
	s.alerts = append(s.alerts, a)
	if s.latest == nil || emitted(a) >= emitted(s.latest) {
		s.latest = a
	}
}

func emitted(a *schemas.Alert) schemas.Time {
	if a.Time.EmittedAt != nil {
		return *a.Time.EmittedAt
	}
	return a.Time.DetectedAt
}

func (in *ingest) sensor(id string, s *sensorSeen, came int) error {
	a := s.latest
	loss := slices.MaxFunc(s.alerts, func(x, y *schemas.Alert) int {
		switch {
		case x.Sensor.LossRatio < y.Sensor.LossRatio:
			return -1
		case x.Sensor.LossRatio > y.Sensor.LossRatio:
			return 1
		}
		return 0
	}).Sensor.LossRatio
	_, err := in.exec(`INSERT INTO sensors (id, site, version, iface, capture, rules_hash, config_hash, boot, one_way, loss, max_loss,
		first_seen, last_seen, last_event, alerts) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET site = excluded.site,
		version = excluded.version, iface = excluded.iface, capture = excluded.capture, rules_hash = excluded.rules_hash,
		config_hash = excluded.config_hash, boot = excluded.boot, one_way = excluded.one_way, loss = excluded.loss,
		max_loss = max(sensors.max_loss, excluded.max_loss), last_seen = excluded.last_seen,
		last_event = max(sensors.last_event, excluded.last_event), alerts = sensors.alerts + excluded.alerts`,
		id, a.Sensor.Site, a.Sensor.Version, a.Sensor.Iface, a.Sensor.Capture, a.Sensor.RulesHash, a.Sensor.ConfigHash, a.Sensor.BootID,
		a.Sensor.OneWay, a.Sensor.LossRatio, loss, in.now, in.now, a.Time.EventEnd, came)
	return err
}

// statuses updates what the sensors say about themselves. A sensor may say so before its first alert.
func (in *ingest) statuses(b Batch) error {
	for _, r := range b.Statuses {
		s := &r.Status.Sensor
		_, err := in.exec(`INSERT INTO sensors (id, site, version, iface, capture, rules_hash, config_hash, boot, one_way, loss, max_loss,
			first_seen, last_seen, last_event, alerts, heard, stopped, status) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,0,?,?,?) ON CONFLICT (id) DO UPDATE SET
			site = excluded.site, version = excluded.version, iface = excluded.iface, capture = excluded.capture, rules_hash = excluded.rules_hash,
			config_hash = excluded.config_hash, one_way = excluded.one_way, loss = excluded.loss, max_loss = max(sensors.max_loss, excluded.max_loss),
			heard = excluded.heard, stopped = excluded.stopped, status = excluded.status`,
			s.ID, s.Site, s.Version, s.Iface, s.Capture, s.RulesHash, s.ConfigHash, s.BootID, s.OneWay, s.LossRatio, s.LossRatio,
			in.now, in.now, r.Status.Time, in.now, r.Status.State == "stopped", r.JSON)
		if err != nil {
			return err
		}
		in.applied.Statuses++
	}
	return nil
}
