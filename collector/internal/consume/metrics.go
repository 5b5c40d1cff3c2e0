// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/store"
	"stillwatch/internal/metrictable"
)

// Metrics counts what the consumer does.
type Metrics struct {
	storeSeconds                                                             prometheus.Histogram
	retries, fetchErrors, commitErrors, deadSent, deadUndelivered, lagErrors atomic.Uint64

	mu      sync.Mutex
	records map[string]uint64 // by topic
	results store.Applied     // sums
	lag     map[partition]int64
}

type partition struct {
	topic  string
	number int
}

const (
	prefix      = "stillwatch_collector_"
	secondsName = prefix + "store_seconds"
	secondsHelp = "Time to store a batch, including retries."
)

// table declares every metric but the histogram, in the order of docs/metrics.md.
func table() metrictable.Table[*Metrics] {
	return metrictable.Table[*Metrics]{Prefix: prefix, Rows: []metrictable.Row[*Metrics]{
		metrictable.CounterVec("records_read_total", "Records read from Kafka and processed.", []string{"topic"}, (*Metrics).emitRecords),
		metrictable.CounterVec("records_stored_total", "Records by result: new alert revisions, known revisions, newer device records, statuses of sensors, packets of alerts, records for the dead-letter queue.",
			[]string{"result"}, (*Metrics).emitResults),
		metrictable.Counter("store_retries_total", "Retries of batches that could not be stored.", func(m *Metrics) uint64 { return m.retries.Load() }),
		metrictable.Counter("fetch_errors_total", "Errors of the group reader.", func(m *Metrics) uint64 { return m.fetchErrors.Load() }),
		metrictable.Counter("commit_errors_total", "Commits that Kafka rejected; their records are read again.", func(m *Metrics) uint64 { return m.commitErrors.Load() }),
		metrictable.GaugeVec("lag_records", "Records of a partition that the group has not committed.", []string{"topic", "partition"}, (*Metrics).emitLag),
		metrictable.Counter("lag_errors_total", "Failed measurements of the lag.", func(m *Metrics) uint64 { return m.lagErrors.Load() }),
		metrictable.Counter("dead_letters_sent_total", "Records sent to the dead-letter topic.", func(m *Metrics) uint64 { return m.deadSent.Load() }),
		metrictable.Counter("dead_letters_undelivered_total", "Records of the dead-letter queue that are in the database only.",
			func(m *Metrics) uint64 { return m.deadUndelivered.Load() }),
	}}
}

// NewMetrics creates and registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{records: map[string]uint64{}, lag: map[partition]int64{},
		storeSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: secondsName, Help: secondsHelp, Buckets: prometheus.ExponentialBuckets(0.001, 2, 16)})}
	r.MustRegister(table().Of(m), m.storeSeconds)
	return m
}

func (m *Metrics) stored(a store.Applied) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &m.results
	s.Alerts, s.Incidents, s.Duplicates = s.Alerts+a.Alerts, s.Incidents+a.Incidents, s.Duplicates+a.Duplicates
	s.Devices, s.Statuses, s.Dead = s.Devices+a.Devices, s.Statuses+a.Statuses, s.Dead+a.Dead
	s.Evidence += a.Evidence
}

func (m *Metrics) emitResults(emit metrictable.Emit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	emit(float64(m.results.Alerts), "alert")
	emit(float64(m.results.Incidents), "incident")
	emit(float64(m.results.Duplicates), "duplicate")
	emit(float64(m.results.Devices), "device")
	emit(float64(m.results.Statuses), "status")
	emit(float64(m.results.Evidence), "evidence")
	emit(float64(m.results.Dead), "dead")
}

func (m *Metrics) read(batch []kafka.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range batch {
		m.records[x.Topic]++
	}
}

func (m *Metrics) emitRecords(emit metrictable.Emit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, n := range m.records {
		emit(float64(n), topic)
	}
}

func (m *Metrics) setLag(topic string, number int, n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lag[partition{topic, number}] = n
}

func (m *Metrics) emitLag(emit metrictable.Emit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, n := range m.lag {
		emit(float64(n), p.topic, strconv.Itoa(p.number))
	}
}
