// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/sensor/internal/pipeline"
)

// Run is one run, at its end or while it goes on.
type Run struct {
	Summary pipeline.Summary
	Alerts  *AlertCounts
	Wall    time.Duration
	Version string
	Port    *Port // nil: captures were read
}

// collector gives the values of a run.
type collector struct{ run Run }

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, f := range all() {
		out <- f.desc()
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	byName := map[string]family{}
	for _, f := range all() {
		byName[f.name] = f
	}
	put := func(name string, value float64, labels ...string) {
		f := byName[name]
		out <- prometheus.MustNewConstMetric(f.desc(), f.kind, value, labels...)
	}
	c.run.values(put)
	c.run.labelled(put)
	c.run.count(put)
	c.run.port(put)
}

// values gives the metrics without labels.
func (r Run) values(put func(string, float64, ...string)) {
	s := r.Summary
	put("run_seconds", r.Wall.Seconds())
	if s.Packets > 0 { // else there is no such time
		put("capture_first_timestamp_seconds", float64(s.First)/1e9)
		put("capture_last_timestamp_seconds", float64(s.Last)/1e9)
	}
	put("captures_total", float64(s.Files))
	put("captures_damaged_total", float64(len(s.Damage)))
	put("packets_total", float64(s.Packets))
	put("bytes_total", float64(s.Bytes))
	put("sessions_total", float64(s.Sessions))
	put("sessions_live", float64(s.SessionsNow))
	put("sessions_live_max", float64(s.SessionsLive))
	put("devices", float64(s.Devices))
	put("devices_expected_silent", float64(s.Quiet))
	put("devices_spoke", float64(s.Loud))
	put("one_way_ratio", s.OneWayShare)
	put("gap_ratio", s.GapShare)
	put("duplicate_ratio", s.DupShare)
}

// labelled gives the others. A registry sorts what it is given, so the order of the maps does not show.
func (r Run) labelled(put func(string, float64, ...string)) {
	put("build_info", 1, r.Version, runtime.Version())
	for verdict, n := range r.Summary.Verdicts {
		put("verdict_total", float64(n), verdict)
	}
	for k, n := range r.Alerts.alerts {
		if n > 0 {
			put("alerts_total", float64(n), k[0], k[1])
		}
	}
	for action, n := range r.Alerts.records {
		put("alert_records_total", float64(n), action)
	}
}
