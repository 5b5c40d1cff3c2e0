// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/privilege"
)

// Port is what there is to say of a run at a port.
type Port struct {
	Iface, Mode, Why string
	Source           capture.Stats
	Age              time.Duration // of the Summary
	Reloads, Refused uint64        // of the configuration
	Protection       privilege.Status
	Stale            bool // the last one was refused, so that what is in force is not what the files say
}

// portFamilies lists the metrics of a run at a port.
func portFamilies() []family {
	return []family{
		{"capture_info", gauge, "Always 1; the labels tell how the port is listened to, and why so.", []string{"iface", "mode", "why"}},
		{"capture_up", gauge, "1 while something can be heard at the port; 0 while it is down, has no link, is gone, or has no traffic although it had some.", nil},
		{"capture_received_total", counter, "Frames that the kernel had for the sensor, with those that it dropped in the ring or counted itself.", nil},
		{"capture_dropped_total", counter, "Frames that were lost, by the place where it happened.", []string{"place"}},
		{"capture_kernel_total", counter, "Frames by the way in which they left the program in the kernel: see capture-xdp.md.", []string{"way"}},
		{"capture_uncounted_total", counter, "Packets that are missing in the counts of their sessions, because the table of sessions in the kernel was full.", nil},
		{"capture_unclaimed_total", counter, "Frames that the interface calls dropped: no measure of loss, see live.md.", nil},
		{"capture_sent_total", counter, "Frames that the port has sent; the sensor sends none.", nil},
		{"capture_clock_steps_total", counter, "How often the clock of the system was set.", nil},
		{"protection_active", gauge, "1 if this protection of the process is whole, 0 if the kernel cannot do it or only a part.", []string{"protection"}},
		{"loss_ratio", gauge, "Share of the frames that were dropped before they were read.", nil},
		{"summary_age_seconds", gauge, "Age of the figures of the event loop; above a second it is behind.", nil},
		{"reloads_total", counter, "Configurations that were read while it ran, by what came of them.", []string{"result"}},
		{"reload_refused", gauge, "1 while the configuration in force is not that of the files, because they were refused.", nil},
	}
}

// port gives the metrics of a run at a port.
func (r Run) port(put func(string, float64, ...string)) {
	p := r.Port
	if p == nil {
		return
	}
	put("capture_info", 1, p.Iface, p.Mode, p.Why)
	put("capture_up", one(p.Source.Blind == "" && r.Summary.Blind == ""))
	put("capture_received_total", float64(p.Source.Received))
	for place, n := range Places(p.Source.Drops) {
		put("capture_dropped_total", float64(n), place)
	}
	for way, n := range p.Source.Reasons {
		put("capture_kernel_total", float64(n), way)
	}
	put("capture_uncounted_total", float64(p.Source.Uncounted))
	put("capture_unclaimed_total", float64(p.Source.Unclaimed))
	put("capture_sent_total", float64(p.Source.Sent))
	put("capture_clock_steps_total", float64(p.Source.ClockSteps))
	for _, x := range p.Protection {
		put("protection_active", one(x.Active), x.Name)
	}
	put("loss_ratio", r.Summary.LossRatio)
	put("summary_age_seconds", p.Age.Seconds())
	put("reloads_total", float64(p.Reloads), "taken")
	put("reloads_total", float64(p.Refused), "refused")
	put("reload_refused", one(p.Stale))
}

// Places gives the drops by the name of the place.
func Places(d capture.Drops) map[string]uint64 {
	return map[string]uint64{"nic": d.NIC, "ring": d.Ring, "xdp": d.XDP, "queue": d.Queue}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Collector gives the metrics of a run that goes on: ask is called for each collection.
func Collector(ask func() Run) prometheus.Collector { return live{ask} }

type live struct{ ask func() Run }

// Describe implements prometheus.Collector.
func (l live) Describe(out chan<- *prometheus.Desc) { collector{}.Describe(out) }

// Collect implements prometheus.Collector.
func (l live) Collect(out chan<- prometheus.Metric) { collector{l.ask()}.Collect(out) }
