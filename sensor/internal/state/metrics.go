// SPDX-License-Identifier: Apache-2.0

package state

import "github.com/prometheus/client_golang/prometheus"

// metric is one metric of a store.
type metric struct {
	name  string
	kind  prometheus.ValueType
	help  string
	value func(*Stats) float64
}

func (m *metric) desc() *prometheus.Desc {
	return prometheus.NewDesc("stillwatch_state_"+m.name, m.help, nil, nil)
}

// metrics has every metric, in the order of docs/metrics.md.
func metrics() []metric {
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	return []metric{
		{"saves_total", counter, "Snapshots that are on disk.", func(s *Stats) float64 { return float64(s.Saves) }},
		{"saved_records_total", counter, "Records that were written or removed with them.", func(s *Stats) float64 { return float64(s.Records) }},
		{"save_errors_total", counter, "Attempts to write a snapshot that failed.", func(s *Stats) float64 { return float64(s.Errors) }},
		{"saves_postponed_total", counter, "Snapshots that were due while the one before was still being written.", func(s *Stats) float64 { return float64(s.Postponed) }},
		{"save_seconds", gauge, "Time to write the last snapshot.", func(s *Stats) float64 { return s.Seconds }},
		{"clock_timestamp_seconds", gauge, "Capture clock of the last snapshot on disk, seconds since the Unix epoch; 0 if there is none.", func(s *Stats) float64 { return float64(s.Clock) / 1e9 }},
		{"fault", gauge, "1 while no snapshot can be written, else 0.", func(s *Stats) float64 { return flag(s.Fault != nil) }},
		{"bytes", gauge, "Bytes of the state file.", func(s *Stats) float64 { return float64(s.Bytes) }},
		{"journal_bytes", gauge, "Bytes of the journal of alerts beside it.", func(s *Stats) float64 { return float64(s.JournalBytes) }},
		{"journal_errors_total", counter, "Alerts that could not be written to the journal.", func(s *Stats) float64 { return float64(s.JournalErrors) }},
		{"restored_records_total", counter, "Records that were read at the start.", func(s *Stats) float64 { return float64(s.Restored) }},
		{"left_out_records_total", counter, "Records that could not be read at the start and were left out.", func(s *Stats) float64 { return float64(s.LeftOut) }},
		{"repeated_alerts_total", counter, "Alerts that were handed on again because the run before was killed.", func(s *Stats) float64 { return float64(s.Repeated) }},
	}
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Describe implements prometheus.Collector.
func (s *Store) Describe(out chan<- *prometheus.Desc) {
	for _, m := range metrics() {
		out <- m.desc()
	}
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(out chan<- prometheus.Metric) {
	st := s.Stats()
	for _, m := range metrics() {
		out <- prometheus.MustNewConstMetric(m.desc(), m.kind, m.value(&st))
	}
}
