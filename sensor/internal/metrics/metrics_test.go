// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"stillwatch/bpf"
	"stillwatch/internal/metrictable/metrictest"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/packet"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/privilege"
)

// page reads docs/metrics.md.
func page(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// full is a run in which everything happened.
func full() Run {
	s := pipeline.Summary{Progress: pipeline.Progress{Packets: 1}, Files: 1, Sessions: 2, Devices: 3, Verdicts: map[string]uint64{}, Counters: map[string]uint64{},
		DatagramsDropped: map[string]uint64{}}
	for i := range packet.NumVerdicts {
		s.Verdicts[packet.Verdict(i).String()] = uint64(i + 1)
	}
	for i, c := range pipeline.Counters() {
		s.Counters[c.Name] = uint64(i + 1)
	}
	for i := range packet.NumFragDrops {
		s.DatagramsDropped[packet.FragDrop(i).String()] = 1
	}
	alerts := NewAlertCounts()
	alerts.Add(&schemas.Alert{ID: "s", Action: "create", Severity: "high", Rule: schemas.AlertRule{ID: "D01"}, SuppressedBy: "p"})
	alerts.Add(&schemas.Alert{ID: "1", Action: "create", Severity: "low", Rule: schemas.AlertRule{ID: "D01"}})
	return Run{Summary: s, Alerts: alerts, Wall: time.Second, Version: "1.2.3", Port: &Port{Iface: "span0", Mode: "afpacket", Why: "requested",
		Source:     capture.Stats{Reasons: map[string]uint64{"edge": 1}},
		Protection: privilege.Status{{Name: privilege.Seccomp, Active: true}}}}
}

func TestMetricsPageIsCurrent(t *testing.T) {
	file := filepath.Join(testneed.Root(t), "docs", "metrics.md")
	metrictest.CheckPage(t, file, runTable().Markdown())
	metrictest.CheckPage(t, file, liveTable().Markdown())
}

func ways() (all []string) {
	for i := range bpf.NumReasons {
		all = append(all, bpf.Reason(i).String())
	}
	return all
}

func TestPageListsTheLabelValues(t *testing.T) {
	var verdicts []string
	for i := range packet.NumVerdicts {
		verdicts = append(verdicts, packet.Verdict(i).String())
	}
	var reasons []string
	for i := range packet.NumFragDrops {
		reasons = append(reasons, packet.FragDrop(i).String())
	}
	for label, want := range map[string][]string{
		"verdict":  verdicts,
		"reason":   reasons,
		"severity": {"informational", "low", "medium", "high", "critical"},
		"action":   {"create", "update", "close"},
		"way":      ways(),
		"place":    slices.Sorted(maps.Keys(Places(capture.Drops{}))),
		"result":   {"taken", "refused"},

		"protection": privilege.Names(),
		"obstacle":   pipeline.Obstacles(),
	} {
		row := regexp.MustCompile("(?m)^\\| `" + label + "` \\| (.*) \\|$").FindStringSubmatch(page(t))
		if row == nil {
			t.Errorf("the page has no row for the label %s", label)
			continue
		}
		var got []string
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the page has\n%q, the program\n%q", label, got, want)
		}
	}
}

// TestEveryMetricHasAValue checks that every declared metric is collected from a run in which everything happened.
func TestEveryMetricHasAValue(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collector{full()})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		got = append(got, f.GetName())
		if kind := strings.ToLower(f.GetType().String()); kind == "counter" != strings.HasSuffix(f.GetName(), "_total") {
			t.Errorf("%s is a %s", f.GetName(), kind)
		}
	}
	want := append(runTable().Names(), liveTable().Names()...)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("collected %q\nwant      %q", got, want)
	}
}

func TestValues(t *testing.T) {
	r := full()
	r.Summary.Packets, r.Summary.Bytes, r.Summary.First, r.Summary.Last = 7, 4000, 1_500_000_000, 2_000_000_000
	r.Summary.Damage = []string{"one"}
	r.Summary.SilentCount, r.Summary.SpokeCount = 4, 2
	name := filepath.Join(t.TempDir(), "metrics.prom")
	if err := WriteFile(name, r); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"stillwatch_sensor_packets_total 7", "stillwatch_sensor_bytes_total 4000", "stillwatch_sensor_captures_damaged_total 1",
		"stillwatch_sensor_capture_first_timestamp_seconds 1.5", "stillwatch_sensor_capture_last_timestamp_seconds 2",
		"stillwatch_sensor_devices_expected_silent 4", "stillwatch_sensor_devices_spoke 2", `stillwatch_sensor_verdict_total{verdict="ok"} 1`,
		`stillwatch_sensor_alerts_total{rule="D01",severity="low"} 1`, `stillwatch_sensor_alert_records_total{action="create"} 2`,
	} {
		if !slices.Contains(strings.Split(string(text), "\n"), want) {
			t.Errorf("%q is not in the file", want)
		}
	}
}

func TestCaptureWithoutPacketsHasNoTimes(t *testing.T) {
	r := full()
	r.Summary.Packets = 0
	var b strings.Builder
	if err := Write(&b, r); err != nil || strings.Contains(b.String(), "timestamp") || !strings.Contains(b.String(), prefix+"packets_total 0\n") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

func TestAlertCountsFollowRevisions(t *testing.T) {
	counts := NewAlertCounts()
	for _, a := range []struct{ id, action, severity string }{
		{"1", "create", "medium"}, {"2", "create", "low"}, {"1", "update", "high"}, {"1", "update", "high"}, {"2", "close", "low"}, {"3", "create", "high"},
	} {
		counts.Add(&schemas.Alert{ID: a.id, Action: a.action, Severity: a.severity, Rule: schemas.AlertRule{ID: "D01"}})
	}
	suppressed := schemas.Alert{ID: "3", Action: "update", Severity: "high", Rule: schemas.AlertRule{ID: "D01"}, SuppressedBy: "p"}
	counts.Add(&suppressed)
	for severity, want := range map[string]uint64{"high": 1, "medium": 0, "low": 1, Suppressed: 1} {
		if got := counts.BySeverity(severity); got != want {
			t.Errorf("%s: %d, want %d", severity, got, want)
		}
	}
	if len(counts.open) != 2 || counts.records["update"] != 3 {
		t.Errorf("%d alerts open, records %v", len(counts.open), counts.records)
	}
}
