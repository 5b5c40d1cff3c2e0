// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"runtime"
	"slices"

	"stillwatch/internal/metrictable"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/pipeline"
)

// prefix starts the name of every metric.
const prefix = "stillwatch_sensor_"

// runTable declares the metrics of every run, in the order of docs/metrics.md. Those of pipeline.Counters are declared there.
func runTable() metrictable.Table[Run] {
	t := metrictable.Table[Run]{Prefix: prefix, Rows: []metrictable.Row[Run]{
		metrictable.GaugeVec("build_info", "Always 1; the labels are the version of the sensor and of Go.", []string{"version", "go_version"},
			func(r Run, emit metrictable.Emit) { emit(1, r.Version, runtime.Version()) }),
		metrictable.Gauge("run_seconds", "Wall clock time of the run.", func(r Run) float64 { return r.Wall.Seconds() }),
		metrictable.GaugeVec("capture_first_timestamp_seconds", "Capture clock of the first packet, seconds since the Unix epoch.", nil, timestamp(func(s *pipeline.Summary) int64 { return s.First })),
		metrictable.GaugeVec("capture_last_timestamp_seconds", "Capture clock of the last packet, seconds since the Unix epoch.", nil, timestamp(func(s *pipeline.Summary) int64 { return s.Last })),
		metrictable.Counter("captures_total", "Captures that were read.", func(r Run) uint64 { return r.Summary.Files }),
		metrictable.Counter("captures_damaged_total", "Captures that could not be read to the end.", func(r Run) uint64 { return uint64(len(r.Summary.Damage)) }),
		metrictable.Counter("packets_total", "Frames that were read.", func(r Run) uint64 { return r.Summary.Packets }),
		metrictable.Counter("bytes_total", "Bytes of those frames on the wire, including bytes that were not captured.", func(r Run) uint64 { return r.Summary.Bytes }),
		metrictable.CounterVec("verdict_total", "Frames by the verdict of the decoder.", []string{"verdict"},
			func(r Run, emit metrictable.Emit) { emitAll(emit, r.Summary.Verdicts) }),
		metrictable.Counter("sessions_total", "Sessions that ended.", func(r Run) uint64 { return r.Summary.Sessions }),
		metrictable.Gauge("sessions_live", "Live sessions in the last second.", func(r Run) float64 { return float64(r.Summary.SessionsNow) }),
		metrictable.Gauge("sessions_live_max", "Largest number of live sessions at once.", func(r Run) float64 { return float64(r.Summary.SessionsLive) }),
		metrictable.Gauge("devices", "Known devices.", func(r Run) float64 { return float64(r.Summary.Devices) }),
		metrictable.Gauge("devices_expected_silent", "Devices that are expected to be silent.", func(r Run) float64 { return float64(r.Summary.SilentCount) }),
		metrictable.Gauge("devices_spoke", "Devices that opened a session outside their contract.", func(r Run) float64 { return float64(r.Summary.SpokeCount) }),
		metrictable.CounterVec("alerts_total", "Alerts by rule and by the severity of their last revision.", []string{"severity", "rule"}, func(r Run, emit metrictable.Emit) {
			for k, n := range r.Alerts.alerts {
				if n > 0 && k[0] != Suppressed {
					emit(float64(n), k[0], k[1])
				}
			}
		}),
		metrictable.CounterVec("alerts_suppressed_total", "Alerts that a policy suppresses in their last revision, by rule.", []string{"rule"}, func(r Run, emit metrictable.Emit) {
			for k, n := range r.Alerts.alerts {
				if n > 0 && k[0] == Suppressed {
					emit(float64(n), k[1])
				}
			}
		}),
		metrictable.Gauge("policies", "Active policies.", func(r Run) float64 { return float64(r.Summary.Policies) }),
		metrictable.CounterVec("alert_records_total", "Alert records that were written, by action.", []string{"action"},
			func(r Run, emit metrictable.Emit) { emitAll(emit, r.Alerts.records) }),
		metrictable.GaugeVec("could_not_detect", "1 if the run could not have found anything for this reason: see replay.md.", []string{"obstacle"}, func(r Run, emit metrictable.Emit) {
			for _, reason := range pipeline.Obstacles() {
				emit(metrictable.Bool(slices.ContainsFunc(r.Summary.Obstacles, func(o pipeline.Obstacle) bool { return o.Reason == reason })), reason)
			}
		}),
		metrictable.Gauge("one_way_ratio", "Share of TCP sessions of which only one direction was seen.", func(r Run) float64 { return r.Summary.OneWayShare }),
		metrictable.Gauge("gap_ratio", "Share of acknowledged TCP bytes that were not captured.", func(r Run) float64 { return r.Summary.GapShare }),
		metrictable.Gauge("duplicate_ratio", "Share of TCP packets that were captured twice.", func(r Run) float64 { return r.Summary.DupShare }),
	}}
	for _, c := range pipeline.Counters() {
		t.Rows = append(t.Rows, metrictable.Counter(c.Name+"_total", c.Help, func(r Run) uint64 { return r.Summary.Counters[c.Name] }))
	}
	t.Rows = append(t.Rows, metrictable.CounterVec("datagrams_dropped_total", "Fragmented datagrams that could not be reassembled, by reason.", []string{"reason"},
		func(r Run, emit metrictable.Emit) { emitAll(emit, r.Summary.DatagramsDropped) }))
	return t
}

// timestamp emits a time of the capture, and nothing if there was no packet.
func timestamp(of func(*pipeline.Summary) int64) func(Run, metrictable.Emit) {
	return func(r Run, emit metrictable.Emit) {
		if r.Summary.Packets > 0 {
			emit(float64(of(&r.Summary)) / 1e9)
		}
	}
}

// emitAll emits the counts that are not zero. The registry sorts them, so the order of the map does not show.
func emitAll(emit metrictable.Emit, counts map[string]uint64) {
	for label, n := range counts {
		if n > 0 {
			emit(float64(n), label)
		}
	}
}

// liveTable declares the metrics that only a run on a live interface has. Port must be set.
func liveTable() metrictable.Table[Run] {
	return metrictable.Table[Run]{Prefix: prefix, Rows: []metrictable.Row[Run]{
		metrictable.GaugeVec("capture_info", "Always 1; the labels are the interface, the capture mode and why it was chosen.", []string{"iface", "mode", "why"},
			func(r Run, emit metrictable.Emit) { emit(1, r.Port.Iface, r.Port.Mode, r.Port.Why) }),
		metrictable.Gauge("capture_up", "1 if frames can arrive; 0 if the interface is down, has no link, is gone, or stopped receiving traffic.", func(r Run) float64 {
			return metrictable.Bool(r.Port.Source.Blind == "" && r.Summary.Blind == "")
		}),
		metrictable.Counter("capture_received_total", "Frames that the kernel received for the sensor, including those that it dropped in the ring or counted itself.", func(r Run) uint64 { return r.Port.Source.Received }),
		metrictable.CounterVec("capture_dropped_total", "Frames that were dropped, by place.", []string{"place"}, func(r Run, emit metrictable.Emit) {
			for place, n := range Places(r.Port.Source.Drops) {
				emit(float64(n), place)
			}
		}),
		metrictable.CounterVec("capture_kernel_total", "Frames by the exit through which they left the kernel program: see capture-xdp.md.", []string{"way"}, func(r Run, emit metrictable.Emit) {
			for way, n := range r.Port.Source.Reasons {
				emit(float64(n), way)
			}
		}),
		metrictable.Counter("capture_uncounted_total", "Packets missing from the counts of their sessions, because the kernel's session table was full.", func(r Run) uint64 { return r.Port.Source.Uncounted }),
		metrictable.Counter("capture_openings_evicted_total", "SYN and SYN-ACK packets within a session that the kernel program evicted before the other endpoint answered, because too many waited.", func(r Run) uint64 { return r.Port.Source.EvictedOpenings }),
		metrictable.Counter("capture_unclaimed_total", "Frames that the interface counts as dropped; not a measure of loss, see live.md.", func(r Run) uint64 { return r.Port.Source.Unclaimed }),
		metrictable.Counter("capture_sent_total", "Frames that the interface sent; the sensor sends none.", func(r Run) uint64 { return r.Port.Source.Sent }),
		metrictable.Counter("capture_clock_steps_total", "Times the system clock was set.", func(r Run) uint64 { return r.Port.Source.ClockSteps }),
		metrictable.GaugeVec("protection_active", "1 if this protection of the process is fully active, 0 if the kernel lacks it or a part of it.", []string{"protection"}, func(r Run, emit metrictable.Emit) {
			for _, x := range r.Port.Protection {
				emit(metrictable.Bool(x.Active), x.Name)
			}
		}),
		metrictable.Gauge("loss_ratio", "Share of frames that were dropped before they were read.", func(r Run) float64 { return r.Summary.LossRatio }),
		metrictable.Gauge("summary_age_seconds", "Age of the values reported by the event loop; more than a second means that it is behind.", func(r Run) float64 { return r.Port.Age.Seconds() }),
		metrictable.CounterVec("reloads_total", "Configuration reloads, by result.", []string{"result"}, func(r Run, emit metrictable.Emit) {
			emit(float64(r.Port.Reloads), "taken")
			emit(float64(r.Port.Refused), "refused")
		}),
		metrictable.Gauge("reload_refused", "1 if the last reload was refused, so that the active configuration differs from the files.", func(r Run) float64 { return metrictable.Bool(r.Port.Stale) }),
	}}
}

// Places returns the drops by place.
func Places(d capture.Drops) map[string]uint64 {
	return map[string]uint64{"nic": d.NIC, "ring": d.Ring, "xdp": d.XDP, "queue": d.Queue}
}
