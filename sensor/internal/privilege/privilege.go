// SPDX-License-Identifier: Apache-2.0

// Package privilege gives up what the sensor needs only to open the mirror port. After Drop the process has no capability, cannot gain
// one, opens no file but those that it was told to keep, and makes no system call but those of Calls.
package privilege

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says what a run still needs after the mirror port is open.
type Config struct {
	// Maps: maps of the kernel are read and written with bpf(2), as in mode xdp.
	Maps bool
	// Read names files that are read again later, as on SIGHUP. The folder of each stays readable, because a new version of a file is
	// usually put in the place of the old one, and then is another file to the kernel. Of a file in / only itself stays.
	Read []string
	// Write names folders in which files are made, written, renamed and removed.
	Write []string
	// Names: names of hosts are looked up.
	Names bool
}

// The protections, as the metric names them.
const (
	Capabilities = "capabilities"
	NoNewPrivs   = "no_new_privs"
	Landlock     = "landlock"
	Seccomp      = "seccomp"
)

// Protection is one thing that holds the process back.
type Protection struct {
	Name   string
	Active bool   // whole: there is nothing in Lack
	Detail string // what is in force
	Lack   string // what this kernel cannot do, and so is not in force
}

// Status is what Drop has reached, in the order of the constants.
type Status []Protection

// Lacks says in one line what the kernel cannot do, "" if it can do everything.
func (s Status) Lacks() string {
	var all []string
	for _, p := range s {
		if p.Lack != "" {
			all = append(all, p.Name+": "+p.Lack)
		}
	}
	return strings.Join(all, "; ")
}

// String says in one line what is in force.
func (s Status) String() string {
	var all []string
	for _, p := range s {
		if p.Detail != "" {
			all = append(all, p.Name+": "+p.Detail)
		}
	}
	return strings.Join(all, "; ")
}

// MetricName is the metric of the protections: 1 for each that is whole, else 0.
const MetricName = "stillwatch_sensor_protection_active"

func desc() *prometheus.Desc {
	return prometheus.NewDesc(MetricName, "1 if this protection of the process is whole, 0 if the kernel cannot do it or only a part.", []string{"protection"}, nil)
}

// Describe implements prometheus.Collector.
func (s Status) Describe(out chan<- *prometheus.Desc) { out <- desc() }

// Collect implements prometheus.Collector.
func (s Status) Collect(out chan<- prometheus.Metric) {
	for _, p := range s {
		v := 0.0
		if p.Active {
			v = 1
		}
		out <- prometheus.MustNewConstMetric(desc(), prometheus.GaugeValue, v, p.Name)
	}
}
