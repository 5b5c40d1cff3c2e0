// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/store"
)

// Metrics holds the metrics of the consumer.
type Metrics struct {
	records         *prometheus.CounterVec
	results         *prometheus.CounterVec
	storeSeconds    prometheus.Histogram
	retries         prometheus.Counter
	fetchErrors     prometheus.Counter
	commitErrors    prometheus.Counter
	deadSent        prometheus.Counter
	deadUndelivered prometheus.Counter
	lag             *prometheus.GaugeVec
	lagErrors       prometheus.Counter
}

const prefix = "stillwatch_collector_"

// NewMetrics creates and registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + name, Help: help})
	}
	m := &Metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "records_read_total",
			Help: "Records read from Kafka and processed."}, []string{"topic"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "records_stored_total",
			Help: "Records by result: new alert revisions, known revisions, newer device records, records for the dead-letter queue."}, []string{"result"}),
		storeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + "store_seconds",
			Help: "Time to store a batch, including retries.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)}),
		retries:         counter("store_retries_total", "Retries of batches that could not be stored."),
		fetchErrors:     counter("fetch_errors_total", "Errors of the group reader."),
		commitErrors:    counter("commit_errors_total", "Commits that Kafka rejected; their records are read again."),
		deadSent:        counter("dead_letters_sent_total", "Records sent to the dead-letter topic."),
		deadUndelivered: counter("dead_letters_undelivered_total", "Records of the dead-letter queue that are in the database only."),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "lag_records",
			Help: "Records of a partition that the group has not committed."}, []string{"topic", "partition"}),
		lagErrors: counter("lag_errors_total", "Failed measurements of the lag."),
	}
	for _, result := range []string{"alert", "duplicate", "device", "dead"} {
		m.results.WithLabelValues(result)
	}
	r.MustRegister(m.records, m.results, m.storeSeconds, m.retries, m.fetchErrors, m.commitErrors, m.deadSent, m.deadUndelivered, m.lag, m.lagErrors)
	return m
}

func (m *Metrics) stored(a store.Applied) {
	m.results.WithLabelValues("alert").Add(float64(a.Alerts))
	m.results.WithLabelValues("duplicate").Add(float64(a.Duplicates))
	m.results.WithLabelValues("device").Add(float64(a.Devices))
	m.results.WithLabelValues("dead").Add(float64(a.Dead))
}

func (m *Metrics) read(batch []kafka.Message) {
	for _, x := range batch {
		m.records.WithLabelValues(x.Topic).Inc()
	}
}

func (m *Metrics) setLag(topic string, partition int, n int64) {
	m.lag.WithLabelValues(topic, strconv.Itoa(partition)).Set(float64(n))
}
