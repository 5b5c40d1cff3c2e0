// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/internal/metrictable"
	"stillwatch/schemas"
)

const metricPrefix = "stillwatch_publish_"

// The histogram of the fsync times is the only metric that is not in metrics.
const (
	fsyncName = metricPrefix + "spool_fsync_seconds"
	fsyncHelp = "Seconds that the fsync of a group of records took."
)

// syncTimes is the histogram of the fsync times.
type syncTimes struct{ prometheus.Histogram }

func newSyncTimes() *syncTimes {
	return &syncTimes{prometheus.NewHistogram(prometheus.HistogramOpts{Name: fsyncName, Help: fsyncHelp, Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16)})}
}

func (s *syncTimes) observe(seconds float64) { s.Observe(seconds) }

// counts is what the metrics of a publisher are read from.
type counts struct {
	spool SpoolStats
	drain DrainStats
}

// metrics declares every metric but the histogram, in the order of docs/metrics.md.
func metrics() metrictable.Table[*counts] {
	return metrictable.Table[*counts]{Prefix: metricPrefix, Rows: []metrictable.Row[*counts]{
		metrictable.Gauge("spool_bytes", "Size of the spool on disk in bytes.", func(c *counts) float64 { return float64(c.spool.Bytes) }),
		metrictable.Gauge("spool_records", "Records that are not acknowledged yet: the lag.", func(c *counts) float64 { return float64(c.spool.Records) }),
		metrictable.Gauge("spool_oldest_seconds", "Age of the oldest record that is not acknowledged.", func(c *counts) float64 { return age(c.spool.OldestAt) }),
		metrictable.Gauge("spool_fault", "1 while the disk cannot be written or read, else 0.", func(c *counts) float64 { return metrictable.Bool(c.spool.Fault != nil) }),
		metrictable.Counter("spool_raised_total", "Records that are safe: on disk, or delivered from memory.", func(c *counts) uint64 { return c.spool.Appended }),
		metrictable.Counter("spool_acknowledged_total", "Records that left the spool because all required brokers acknowledged them.", func(c *counts) uint64 { return c.spool.Acked }),
		metrictable.Counter("spool_recovered_total", "Records that an earlier run left in the spool.", func(c *counts) uint64 { return c.spool.Recovered }),
		metrictable.CounterVec("spool_dropped_total", "Records that were dropped because there was no space, by severity (or evidence, device, session).", []string{"severity"}, func(c *counts, emit metrictable.Emit) {
			for r := range numRanks {
				emit(float64(c.spool.Dropped[r]), r.String())
			}
		}),
		metrictable.Counter("spool_damaged_total", "Places in the spool that could not be read and were skipped.", func(c *counts) uint64 { return c.spool.Damaged }),
		metrictable.Counter("spool_torn_bytes_total", "Bytes of incomplete records that were cut off the end of the spool at the start.", func(c *counts) uint64 { return c.spool.TornBytes }),
		metrictable.Counter("spool_write_errors_total", "Writes to the spool that failed.", func(c *counts) uint64 { return c.spool.Faults }),
		metrictable.CounterVec("produced_total", "Records that the brokers acknowledged, by topic.", []string{"topic"}, func(c *counts, emit metrictable.Emit) {
			for _, topic := range []string{schemas.AlertTopic, schemas.IncidentTopic, schemas.DeviceTopic, schemas.EvidenceTopic, schemas.SessionTopic, schemas.StatusTopic} {
				emit(float64(c.drain.Produced[topic]), topic)
			}
		}),
		metrictable.CounterVec("errors_total", "Delivery attempts that failed, by cause.", []string{"cause"}, func(c *counts, emit metrictable.Emit) {
			for _, cause := range Causes() {
				emit(float64(c.drain.Errors[cause]), string(cause))
			}
		}),
		metrictable.Counter("dead_letters_total", "Records that every broker rejects and that were written to the dead-letter file.", func(c *counts) uint64 { return c.drain.Rejected }),
		metrictable.Gauge("up", "1 if the last delivery attempt succeeded or there was none, else 0.", func(c *counts) float64 { return metrictable.Bool(c.drain.Fault == nil) }),
	}}
}

// age returns the seconds since a wall clock time in nanoseconds, 0 if there is none.
func age(at int64) float64 {
	if at == 0 {
		return 0
	}
	return max(time.Since(time.Unix(0, at)).Seconds(), 0)
}

// Describe implements prometheus.Collector.
func (p *Publisher) Describe(out chan<- *prometheus.Desc) {
	metrics().Describe(out)
	p.syncs.Describe(out)
}

// Collect implements prometheus.Collector.
func (p *Publisher) Collect(out chan<- prometheus.Metric) {
	metrics().Collect(&counts{p.spool.Stats(), p.drain.Stats()}, out)
	p.syncs.Collect(out)
}
