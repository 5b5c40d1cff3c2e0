// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/schemas"
)

const metricPrefix = "stillwatch_publish_"

// syncTimes is the histogram of the fsyncs.
type syncTimes struct{ prometheus.Histogram }

func newSyncTimes() *syncTimes {
	return &syncTimes{prometheus.NewHistogram(prometheus.HistogramOpts{Name: metricPrefix + "spool_fsync_seconds",
		Help: "Seconds that writing a group of records to disk took in fsync.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16)})}
}

func (s *syncTimes) observe(seconds float64) { s.Observe(seconds) }

// metric is one metric of a publisher.
type metric struct {
	name  string
	kind  prometheus.ValueType
	help  string
	label string // "" if it has none
}

func (m metric) desc() *prometheus.Desc {
	var labels []string
	if m.label != "" {
		labels = []string{m.label}
	}
	return prometheus.NewDesc(metricPrefix+m.name, m.help, labels, nil)
}

// metricList has every metric but the histogram, in the order of docs/metrics.md.
func metricList() []metric {
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	return []metric{
		{"spool_bytes", gauge, "Bytes of the spool on disk.", ""},
		{"spool_records", gauge, "Records that are not acknowledged yet: the lag.", ""},
		{"spool_oldest_seconds", gauge, "Age of the oldest record that is not acknowledged.", ""},
		{"spool_fault", gauge, "1 while the disk takes nothing, else 0.", ""},
		{"spool_raised_total", counter, "Records that are safe: on disk, or delivered from memory.", ""},
		{"spool_acknowledged_total", counter, "Records that left the spool because all brokers that must have them do.", ""},
		{"spool_recovered_total", counter, "Records that an earlier run had left.", ""},
		{"spool_dropped_total", counter, "Records that were given up because there was no room, by severity (or device, session).", "severity"},
		{"spool_damaged_total", counter, "Places in the spool that could not be read and were stepped over.", ""},
		{"spool_torn_bytes_total", counter, "Bytes of torn tails that were cut off at the start.", ""},
		{"spool_write_errors_total", counter, "Writes to the spool that failed.", ""},
		{"produced_total", counter, "Records that the brokers acknowledged, by topic.", "topic"},
		{"errors_total", counter, "Attempts to deliver that failed, by cause.", "cause"},
		{"poison_total", counter, "Records that no broker takes and that went to the side file.", ""},
		{"up", gauge, "1 if the last attempt to deliver succeeded or there was none, else 0.", ""},
	}
}

// Describe implements prometheus.Collector.
func (p *Publisher) Describe(out chan<- *prometheus.Desc) {
	for _, m := range metricList() {
		out <- m.desc()
	}
	p.syncs.Describe(out)
}

// Collect implements prometheus.Collector.
func (p *Publisher) Collect(out chan<- prometheus.Metric) {
	byName := map[string]metric{}
	for _, m := range metricList() {
		byName[m.name] = m
	}
	put := func(name string, value float64, labels ...string) {
		m := byName[name]
		out <- prometheus.MustNewConstMetric(m.desc(), m.kind, value, labels...)
	}
	p.spoolMetrics(put)
	p.drainMetrics(put)
	p.syncs.Collect(out)
}

func (p *Publisher) spoolMetrics(put func(string, float64, ...string)) {
	s := p.spool.Stats()
	put("spool_bytes", float64(s.Bytes))
	put("spool_records", float64(s.Records))
	age := 0.0
	if s.OldestAt > 0 {
		age = max(time.Since(time.Unix(0, s.OldestAt)).Seconds(), 0)
	}
	put("spool_oldest_seconds", age)
	put("spool_fault", flag(s.Fault != nil))
	put("spool_raised_total", float64(s.Appended))
	put("spool_acknowledged_total", float64(s.Acked))
	put("spool_recovered_total", float64(s.Recovered))
	for r := range numRanks {
		put("spool_dropped_total", float64(s.Dropped[r]), r.String())
	}
	put("spool_damaged_total", float64(s.Damaged))
	put("spool_torn_bytes_total", float64(s.TornBytes))
	put("spool_write_errors_total", float64(s.Faults))
}

func (p *Publisher) drainMetrics(put func(string, float64, ...string)) {
	d := p.drain.Stats()
	for _, topic := range []string{schemas.AlertTopic, schemas.DeviceTopic, schemas.SessionTopic} {
		put("produced_total", float64(d.Produced[topic]), topic)
	}
	for _, c := range Causes() {
		put("errors_total", float64(d.Errors[c]), string(c))
	}
	put("poison_total", float64(d.Rejected))
	put("up", flag(d.Fault == nil))
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
