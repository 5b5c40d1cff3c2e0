// SPDX-License-Identifier: Apache-2.0

// Package metrics exports the counters of a run in the Prometheus text format. docs/metrics.md lists every metric.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/privilege"
)

// Run is what the metrics of one run are read from, at its end or while it continues.
type Run struct {
	Summary pipeline.Summary
	Alerts  *AlertCounts
	Wall    time.Duration
	Version string
	Port    *Port // nil: a replay of captures
}

// Port is the part of a Run that only a live interface has.
type Port struct {
	Iface, Mode, Why string
	Source           capture.Stats
	Age              time.Duration // of the Summary
	Reloads, Refused uint64        // of the configuration
	Protection       privilege.Status
	Stale            bool // the last reload was refused: the active configuration differs from the files
}

// collector is a prometheus.Collector of one run.
type collector struct{ run Run }

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	runTable().Describe(out)
	liveTable().Describe(out)
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	runTable().Collect(c.run, out)
	if c.run.Port != nil {
		liveTable().Collect(c.run, out)
	}
}

// Collector returns a collector of a run that continues. It calls ask for each collection.
func Collector(ask func() Run) prometheus.Collector { return live{ask} }

type live struct{ ask func() Run }

// Describe implements prometheus.Collector.
func (l live) Describe(out chan<- *prometheus.Desc) { collector{}.Describe(out) }

// Collect implements prometheus.Collector.
func (l live) Collect(out chan<- prometheus.Metric) { collector{l.ask()}.Collect(out) }
