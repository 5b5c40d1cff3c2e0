// SPDX-License-Identifier: Apache-2.0

package state

import (
	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/internal/metrictable"
)

// metrics declares the metrics of a store, in the order of docs/metrics.md.
func metrics() metrictable.Table[*Stats] {
	return metrictable.Table[*Stats]{Prefix: "stillwatch_state_", Rows: []metrictable.Row[*Stats]{
		metrictable.Counter("saves_total", "Snapshots that were written to disk.", func(s *Stats) uint64 { return s.Saves }),
		metrictable.Counter("saved_records_total", "Records that these snapshots wrote or removed.", func(s *Stats) uint64 { return s.Records }),
		metrictable.Counter("save_errors_total", "Attempts to write a snapshot that failed.", func(s *Stats) uint64 { return s.Errors }),
		metrictable.Counter("saves_postponed_total", "Snapshots that were due while the previous one was still being written.", func(s *Stats) uint64 { return s.Postponed }),
		metrictable.Gauge("save_seconds", "Time to write the last snapshot.", func(s *Stats) float64 { return s.Seconds }),
		metrictable.Gauge("clock_timestamp_seconds", "Capture clock of the last snapshot on disk, seconds since the Unix epoch; 0 if there is none.", func(s *Stats) float64 { return float64(s.Clock) / 1e9 }),
		metrictable.Gauge("fault", "1 while no snapshot can be written, else 0.", func(s *Stats) float64 { return metrictable.Bool(s.Fault != nil) }),
		metrictable.Gauge("bytes", "Size of the state file in bytes.", func(s *Stats) float64 { return float64(s.Bytes) }),
		metrictable.Gauge("journal_bytes", "Size of the alert journal in bytes.", func(s *Stats) float64 { return float64(s.JournalBytes) }),
		metrictable.Counter("journal_errors_total", "Alerts that could not be written to the journal.", func(s *Stats) uint64 { return s.JournalErrors }),
		metrictable.Counter("restored_records_total", "Records that were restored at the start.", func(s *Stats) uint64 { return s.Restored }),
		metrictable.Counter("left_out_records_total", "Records that could not be read at the start and were skipped.", func(s *Stats) uint64 { return s.LeftOut }),
		metrictable.Counter("repeated_alerts_total", "Alerts that were sent again because the previous run was killed.", func(s *Stats) uint64 { return s.Repeated }),
	}}
}

// Describe implements prometheus.Collector.
func (s *Store) Describe(out chan<- *prometheus.Desc) { metrics().Describe(out) }

// Collect implements prometheus.Collector.
func (s *Store) Collect(out chan<- prometheus.Metric) {
	st := s.Stats()
	metrics().Collect(&st, out)
}
