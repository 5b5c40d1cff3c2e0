// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"time"

	"go.uber.org/zap"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/metrics"
)

// statusEvery is how often a live sensor sends its status. The collector misses a sensor that it has not heard for four times as long.
const statusEvery = 30 * time.Second

// sendStatus sends the status of the sensor until ctx ends.
func (mon *monitor) sendStatus(ctx context.Context) {
	if mon.out.kafka == nil {
		return
	}
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		mon.reportStatus("running")
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// reportStatus sends one status. A failure is logged: the next one follows soon.
func (mon *monitor) reportStatus(state string) {
	if mon.out.kafka == nil {
		return
	}
	mon.telling.Lock()
	defer mon.telling.Unlock()
	if mon.stopped {
		return
	}
	mon.stopped = state == "stopped"
	if err := mon.out.kafka.Status(mon.currentStatus(state)); err != nil {
		mon.log.Warn("cannot store the status of the sensor", zap.Error(err))
	}
}

// counters is what the rates of the next status are computed from.
type counters struct {
	at                     time.Time
	packets, bytes, alerts uint64
}

// currentStatus returns the status of the sensor, with the rates since the last call.
func (mon *monitor) currentStatus(state string) *schemas.Status {
	m := mon.metrics()
	mon.mu.Lock()
	defer mon.mu.Unlock()
	now := counters{time.Now(), m.Summary.Packets, m.Summary.Bytes, m.Summary.Alerts}
	if mon.previous.at.IsZero() {
		mon.previous.at = mon.began
	}
	s := statusOf(&m, mon.previous, now)
	mon.previous = now
	spool := mon.out.kafka.Spool()
	s.Spool = schemas.StatusSpool{Records: spool.Records, Bytes: spool.Bytes, Dropped: spool.DroppedTotal()}
	if spool.OldestAt != 0 {
		s.Spool.OldestSeconds = max(now.at.Sub(time.Unix(0, spool.OldestAt)).Seconds(), 0)
	}
	s.State = state
	s.Sensor.BootID = mon.out.sequencer.Boot()
	return s
}

// statusOf returns what the metrics of a run say about its status. Both times are of calls of currentStatus.
func statusOf(m *metrics.Run, before, now counters) *schemas.Status {
	sum := &m.Summary
	s := &schemas.Status{
		Schema: schemas.StatusSchema, Sensor: sum.Sensor, InventoryHash: sum.InventoryHash, Time: schemas.Time(now.at.UnixNano()),
		UptimeSeconds: int64(m.Wall.Seconds()), IntervalSeconds: max(now.at.Sub(before.at).Seconds(), 0), Tables: sum.Tables, Blind: sum.Blind,
	}
	if t := s.IntervalSeconds; t > 0 {
		rate := func(now, before uint64) float64 { return float64(now-min(now, before)) / t }
		s.Rates = schemas.StatusRates{Packets: rate(now.packets, before.packets), Bits: 8 * rate(now.bytes, before.bytes), Alerts: rate(now.alerts, before.alerts)}
	}
	if p := m.Port; p != nil {
		d := p.Source.Drops
		s.Loss = schemas.StatusLoss{Received: p.Source.Received, NIC: d.NIC, Ring: d.Ring, XDP: d.XDP, Queue: d.Queue}
		if s.Blind == "" {
			s.Blind = p.Source.Blind
		}
	}
	for _, o := range sum.Obstacles {
		s.Obstacles = append(s.Obstacles, schemas.StatusObstacle{Reason: o.Reason, Text: o.Text})
	}
	return s
}
