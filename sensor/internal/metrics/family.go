// SPDX-License-Identifier: Apache-2.0

// Package metrics tells what a run has seen in the form of Prometheus. docs/metrics.md lists every metric with its labels;
// a test holds page and code together.
package metrics

import "github.com/prometheus/client_golang/prometheus"

// prefix begins the name of every metric.
const prefix = "stillwatch_sensor_"

// family is one metric: its name without prefix, its type, its label names and what it means.
type family struct {
	name   string
	kind   prometheus.ValueType
	help   string
	labels []string
}

func (f family) desc() *prometheus.Desc {
	return prometheus.NewDesc(prefix+f.name, f.help, f.labels, nil)
}

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

// families lists all metrics but those of Summary.Counters (see counters.go) and of a port (port.go), in the order of the page.
func families() []family {
	return []family{
		{"build_info", gauge, "Always 1; the labels tell which program wrote this.", []string{"version", "go_version"}},
		{"run_seconds", gauge, "Wall clock time of the run.", nil},
		{"capture_first_timestamp_seconds", gauge, "Capture clock of the first packet, seconds since the Unix epoch.", nil},
		{"capture_last_timestamp_seconds", gauge, "Capture clock of the last packet, seconds since the Unix epoch.", nil},
		{"captures_total", counter, "Captures that were read.", nil},
		{"captures_damaged_total", counter, "Captures that could not be read to their end.", nil},
		{"packets_total", counter, "Frames that were read.", nil},
		{"bytes_total", counter, "Bytes of those frames by their length on the wire, which may be more than was captured of them.", nil},
		{"verdict_total", counter, "Frames by what the decoder said of them.", []string{"verdict"}},
		{"sessions_total", counter, "Sessions.", nil},
		{"sessions_live", gauge, "Sessions that were live in the last second.", nil},
		{"sessions_live_max", gauge, "The greatest number of sessions that were live at once.", nil},
		{"devices", gauge, "Devices that are known.", nil},
		{"devices_expected_silent", gauge, "Devices of which silence is expected.", nil},
		{"devices_spoke", gauge, "Those of them that opened a session outside their contract.", nil},
		{"alerts_total", counter, "Alerts by rule and by the severity of their last revision.", []string{"severity", "rule"}},
		{"alert_records_total", counter, "Alert records that were written, by action.", []string{"action"}},
		{"one_way_ratio", gauge, "Share of the TCP sessions of which only one direction was seen.", nil},
		{"gap_ratio", gauge, "Share of the acknowledged bytes that the capture lacks.", nil},
		{"duplicate_ratio", gauge, "Share of the TCP packets that were captured twice.", nil},
	}
}
