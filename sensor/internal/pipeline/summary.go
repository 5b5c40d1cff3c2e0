// SPDX-License-Identifier: Apache-2.0

package pipeline

import (
	"stillwatch/schemas"
	"stillwatch/sensor/internal/alert"
	"stillwatch/sensor/internal/detect"
)

// Summary returns the result of the run so far. Call it after Run, or through Ask.
func (r *Run) Summary() Summary {
	t := &r.correlator.counts
	s := r.src.Stats()
	out := Summary{
		Progress: r.Progress(), Files: s.Files, Sessions: t.sessions, SessionsLive: uint64(t.maxLive), SessionsNow: uint64(t.live), Devices: uint64(r.correlator.reg.Stats().Devices),
		Policies: r.correlator.policies.Counts().Active, DevicesEvicted: r.correlator.reg.Stats().Evicted, Silent: t.silent, Spoke: t.spoken, TryInternal: t.networks.suggest(), Verdicts: t.verdicts(),
		Counters: r.correlator.counters(), DatagramsDropped: r.correlator.datagramsDropped(),
		OneWayShare: share(t.stats.TCPOneWay, t.stats.TCPEnded, 1), GapShare: share(t.stats.GapBytes, t.stats.AckedBytes, 1),
		DupShare: share(t.stats.TCPDuplicates, t.stats.TCPPackets, 1), LossRatio: share(t.loss.lost, t.loss.offered, 1), Source: s,
	}
	if out.SilentCount, out.SpokeCount = uint64(len(t.silent)), uint64(len(t.spoken)); t.devices == 0 { // it goes on
		out.SilentCount, out.SpokeCount = t.scan.silent, t.scan.spoke
	}
	out.Sensor, out.InventoryHash, out.Tables = r.correlator.sensor, r.correlator.inventoryHash(), r.correlator.tables(&out)
	if p := r.correlator.policies; p != nil {
		out.Sensor.PolicyHash = p.Hash()
	}
	q := &r.correlator.ctx.Quality
	out.Sensor.OneWay, out.Sensor.LossRatio = q.OneWay, q.LossRatio
	out.Obstacles = r.obstacles(&out)
	out.Custom = detect.CustomStats(r.correlator.detectors)
	for _, d := range s.Damage {
		out.Damage = append(out.Damage, d.String())
	}
	return out
}

// inventoryHash returns a hash of the active inventory, "" if there is none.
func (c *correlator) inventoryHash() string {
	if c.cfg.Inventory == nil {
		return ""
	}
	return alert.Hash(c.cfg.Inventory.Source)
}

// tables returns how full the tables of a run are.
func (c *correlator) tables(s *Summary) []schemas.StatusTable {
	limits, stats := &c.cfg.Settings.Limits, c.reg.Stats()
	return []schemas.StatusTable{
		{Name: "sessions", Used: s.SessionsNow, Limit: uint64(limits.Sessions)},
		{Name: "devices", Used: s.Devices, Limit: uint64(limits.Devices)},
		{Name: "silence_bytes", Used: uint64(stats.HistoryBytes), Limit: uint64(stats.MaxHistoryBytes)},
	}
}
