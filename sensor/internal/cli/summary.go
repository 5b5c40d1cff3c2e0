// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"go.uber.org/zap"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/dissect/decrypt"
	"stillwatch/sensor/internal/metrics"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/terminal"
)

// maxNamed bounds the devices in each list of the summary.
const maxNamed = 12

// result is a finished run.
type result struct {
	pipeline.Summary
	alertCounts *metrics.AlertCounts
	wall        time.Duration
	selected    selectionFlags
	keyLog      *decrypt.KeyLog // nil: nothing was decrypted
	port        string          // the port and the capture mode; "": captures were read
}

// print writes the summary at the end for a person to read.
func (r *result) print(t *terminal.Terminal, w io.Writer) error {
	var b strings.Builder
	b.WriteString(t.Paint(fmt.Sprintf("%s, %s, %s", either(r.port, terminal.Counted(r.Files, "capture")), terminal.Counted(r.Packets, "packet"), terminal.Bytes(r.Bytes)), terminal.Bold) + "\n")
	if r.Packets > 0 {
		t.Row(&b, "time", fmt.Sprintf("%s, %s", t.Interval(r.First, r.Last), terminal.Duration(time.Duration(r.Last-r.First))))
	}
	for _, o := range r.Obstacles {
		t.Row(&b, "warning", "this run could not have found anything: "+o.Text)
	}
	if text := r.cut(); text != "" {
		t.Row(&b, "selected", text)
	}
	if r.keyLog != nil {
		seen, decrypted := r.keyLog.Sessions()
		t.Row(&b, "decrypted", fmt.Sprintf("%s of %s of TLS", terminal.Grouped(decrypted), terminal.Counted(seen, "session")))
	}
	t.Row(&b, "sessions", fmt.Sprintf("%s, at most %s at once", terminal.Grouped(r.Sessions), terminal.Grouped(r.SessionsLive)))
	t.Row(&b, "devices", r.devices())
	t.Row(&b, "opened", named(r.Spoke))
	t.Row(&b, "silent", named(r.quiet()))
	t.Row(&b, "alerts", r.alerts())
	t.Row(&b, "capture", r.quality())
	rate := float64(r.Packets) / max(r.wall.Seconds(), 1e-6)
	t.Row(&b, "speed", fmt.Sprintf("%spackets/s, %s in all", terminal.Scaled(rate), terminal.Duration(r.wall)))
	_, err := io.WriteString(w, b.String())
	return err
}

// cut describes what was selected, and how much was not read; "" if everything was.
func (r *result) cut() string {
	if !r.selected.active() {
		return ""
	}
	return fmt.Sprintf("%s; %s of %s not read", strings.Join(r.selected.texts(), ", "), terminal.Grouped(r.Counters["frames_cut"]), terminal.Counted(r.Packets, "packet"))
}

func (r *result) devices() string {
	text := fmt.Sprintf("%s, %d expected to be silent", terminal.Grouped(r.Devices), len(r.Silent))
	if len(r.Silent) > 0 {
		text += fmt.Sprintf(", %d of them opened sessions", len(r.Spoke))
	}
	if r.DevicesEvicted > 0 {
		text += fmt.Sprintf("; %s evicted because the registry was full", terminal.Grouped(r.DevicesEvicted))
	}
	return text
}

// quiet returns the devices that were expected to be silent and were.
func (r *result) quiet() (all []pipeline.DeviceLine) {
	spoke := map[string]bool{}
	for _, d := range r.Spoke {
		spoke[d.Key] = true
	}
	for _, d := range r.Silent {
		if !spoke[d.Key] {
			all = append(all, d)
		}
	}
	return all
}

func named(all []pipeline.DeviceLine) string {
	var parts []string
	for _, d := range all[:min(len(all), maxNamed)] {
		text := d.Key
		if d.Name != "" {
			text = d.Name
		}
		var more []string
		for _, s := range []string{d.IP, d.Vendor, d.Role} {
			if s != "" && s != "unknown" && !strings.Contains(text, s) {
				more = append(more, s)
			}
		}
		if len(more) > 0 {
			text += " (" + strings.Join(more, ", ") + ")"
		}
		parts = append(parts, text)
	}
	if rest := len(all) - len(parts); rest > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(parts, "; ")
}

func (r *result) alerts() string {
	var parts []string
	for _, s := range terminal.Severities() {
		if n := r.alertCounts.BySeverity(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", terminal.Grouped(n), s))
		}
	}
	if n := r.alertCounts.BySeverity(metrics.Suppressed); n > 0 {
		parts = append(parts, terminal.Grouped(n)+" suppressed by policies")
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// quality describes the quality of the capture.
func (r *result) quality() string {
	faults := uint64(0)
	for _, n := range r.faults() {
		faults += n
	}
	text := fmt.Sprintf("one-way %.1f %%, gaps %.1f %%, duplicates %.1f %%, %s not decoded",
		r.OneWayShare*100, r.GapShare*100, r.DupShare*100, terminal.Counted(faults, "frame"))
	if r.port != "" {
		text += fmt.Sprintf(", %s of %s dropped", terminal.Grouped(r.Source.Drops.Lost()), terminal.Grouped(r.Source.Received))
	}
	if len(r.Damage) > 0 {
		text += fmt.Sprintf(", %d damaged (see below)", len(r.Damage))
	}
	return text
}

// faults returns the frames that could not be decoded, by verdict.
func (r *result) faults() map[string]uint64 {
	all := maps.Clone(r.Verdicts)
	maps.DeleteFunc(all, func(verdict string, n uint64) bool { return n == 0 || verdict == "ok" || verdict == "no_network_layer" })
	return all
}

// bySeverity returns the number of alerts of each severity, and of suppressed ones if there are any.
func (r *result) bySeverity() map[string]uint64 {
	all := map[string]uint64{}
	for _, s := range terminal.Severities() {
		all[s] = r.alertCounts.BySeverity(s)
	}
	if n := r.alertCounts.BySeverity(metrics.Suppressed); n > 0 {
		all[metrics.Suppressed] = n
	}
	return all
}

// log writes the summary as a log line.
func (r *result) log(l *zap.Logger) {
	var spoke []string
	for _, d := range r.Spoke[:min(len(r.Spoke), maxNamed)] {
		spoke = append(spoke, d.Key)
	}
	fields := []zap.Field{zap.Uint64("captures", r.Files), zap.Uint64("packets", r.Packets), zap.Uint64("bytes", r.Bytes)}
	if r.Packets > 0 {
		fields = append(fields, zap.Stringer("first", schemas.Time(r.First)), zap.Stringer("last", schemas.Time(r.Last)))
	}
	if r.keyLog != nil {
		seen, decrypted := r.keyLog.Sessions()
		fields = append(fields, zap.Uint64("tls_sessions", seen), zap.Uint64("tls_decrypted", decrypted))
	}
	if r.selected.active() {
		fields = append(fields, zap.Uint64("not_read", r.Counters["frames_cut"]))
	}
	if len(r.TryInternal) > 0 {
		fields = append(fields, zap.Stringers("try_internal", r.TryInternal))
	}
	what := "replay finished"
	if r.port != "" {
		what = "run finished"
		fields = append(fields, zap.String("port", r.port), zap.Uint64("received", r.Source.Received), zap.Any("dropped", metrics.Places(r.Source.Drops)))
	}
	for _, o := range r.Obstacles {
		logObstacle(l, o)
	}
	l.Info(what, append(fields,
		zap.Uint64("sessions", r.Sessions), zap.Uint64("devices", r.Devices),
		zap.Int("expected_silent", len(r.Silent)), zap.Int("spoke", len(r.Spoke)), zap.Strings("spoke_devices", spoke),
		zap.Any("alerts", r.bySeverity()), zap.Int("damaged", len(r.Damage)),
		zap.Float64("one_way_ratio", r.OneWayShare), zap.Float64("gap_ratio", r.GapShare), zap.Float64("duplicate_ratio", r.DupShare),
		zap.Float64("seconds", r.wall.Seconds()))...)
}

// logObstacle warns that no alert does not mean that all is well.
func logObstacle(l *zap.Logger, o pipeline.Obstacle) {
	l.Warn("this run could not have found anything", zap.String("reason", o.Reason), zap.String("why", o.Text))
}
