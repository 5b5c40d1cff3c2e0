// SPDX-License-Identifier: Apache-2.0

// Package metrictable declares Prometheus metrics in tables. A row holds everything about one metric: name, type, labels, help text,
// and the function that reads its value. The tables of docs/metrics.md are generated from the rows.
package metrictable

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Emit records one value of a metric. It takes a value for each label of the metric, in their order.
type Emit func(value float64, labels ...string)

// Row is one metric that is read from an S.
type Row[S any] struct {
	kind       prometheus.ValueType
	name, help string
	labels     []string
	read       func(S, Emit)
}

// Counter returns the row of a counter without labels. Its name must end in _total.
func Counter[S any](name, help string, read func(S) uint64) Row[S] {
	return CounterVec(name, help, nil, func(s S, emit Emit) { emit(float64(read(s))) })
}

// Gauge returns the row of a gauge without labels.
func Gauge[S any](name, help string, read func(S) float64) Row[S] {
	return GaugeVec(name, help, nil, func(s S, emit Emit) { emit(read(s)) })
}

// CounterVec returns the row of a counter that read emits once for each combination of label values, or not at all.
func CounterVec[S any](name, help string, labels []string, read func(S, Emit)) Row[S] {
	return Row[S]{prometheus.CounterValue, name, help, labels, read}
}

// GaugeVec returns the row of a gauge that read emits once for each combination of label values, or not at all.
func GaugeVec[S any](name, help string, labels []string, read func(S, Emit)) Row[S] {
	return Row[S]{prometheus.GaugeValue, name, help, labels, read}
}

// Bool returns 1 for true and 0 for false.
func Bool(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Table is the metrics of one source. Every name is preceded by Prefix.
type Table[S any] struct {
	Prefix string
	Rows   []Row[S]
}

// Describe sends the descriptors of all metrics, as prometheus.Collector requires.
func (t Table[S]) Describe(out chan<- *prometheus.Desc) {
	for i := range t.Rows {
		out <- t.desc(&t.Rows[i])
	}
}

// Collect reads all metrics from s.
func (t Table[S]) Collect(s S, out chan<- prometheus.Metric) {
	for i := range t.Rows {
		r := &t.Rows[i]
		d := t.desc(r)
		r.read(s, func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, r.kind, value, labels...)
		})
	}
}

// Of returns the metrics of s for a registry.
func (t Table[S]) Of(s S) prometheus.Collector { return collector[S]{t, s} }

type collector[S any] struct {
	Table[S]
	s S
}

func (c collector[S]) Collect(out chan<- prometheus.Metric) { c.Table.Collect(c.s, out) }

// Names returns the full names of the metrics.
func (t Table[S]) Names() (all []string) {
	for i := range t.Rows {
		all = append(all, t.Prefix+t.Rows[i].name)
	}
	return all
}

// Markdown returns the rows of docs/metrics.md, one string for each.
func (t Table[S]) Markdown() (all []string) {
	for i := range t.Rows {
		r := &t.Rows[i]
		kind := "gauge"
		if r.kind == prometheus.CounterValue {
			kind = "counter"
		}
		all = append(all, Markdown(t.Prefix+r.name, kind, r.labels, r.help))
	}
	return all
}

// Markdown returns the row of docs/metrics.md for one metric.
func Markdown(name, kind string, labels []string, help string) string {
	quoted := ""
	if len(labels) > 0 {
		quoted = "`" + strings.Join(labels, "` `") + "`"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |", name, kind, quoted, help)
}

func (t Table[S]) desc(r *Row[S]) *prometheus.Desc {
	return prometheus.NewDesc(t.Prefix+r.name, r.help, r.labels, nil)
}
