// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.uber.org/zap"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/pipeline"
	"stillwatch/sensor/internal/publish"
	"stillwatch/sensor/internal/terminal"
)

// maxCompared bounds the alerts of each replay that --what-if keeps.
const maxCompared = 500_000

// checkWhatIf returns an error if --what-if cannot be combined with another option.
func (c *replayCmd) checkWhatIf() error {
	for _, x := range append(append(c.folders(), c.files()...), [][2]string{{"--alerts", c.Alerts}, {"--sessions", c.Sessions}, {"--incidents", c.Incidents}, {"--devices", c.Devices},
		{"--evidence", c.Evidence}, {"--metrics-file", c.MetricsFile}, {"--case-report", c.CaseReport}, {"--case-json", c.CaseJSON}, {"--listen", c.Listen}}...) {
		if x[1] != "" {
			return fmt.Errorf("--what-if compares alerts and writes no records: omit %s", x[0])
		}
	}
	if c.Follow {
		return errors.New("--what-if reads the captures twice, to their ends: omit --follow")
	}
	if c.enabled() {
		return errors.New("--what-if compares alerts and publishes none: omit --kafka and --publish-config")
	}
	if name := readOnce(c.Captures); name != "" {
		return fmt.Errorf("--what-if reads the captures twice: give files, not %s", name)
	}
	return nil
}

// readOnce returns the first capture that cannot be read twice, "" if there is none.
func readOnce(captures []string) string {
	for _, name := range captures {
		if info, err := os.Stat(name); publish.IsStdout(name) || err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			return name
		}
	}
	return ""
}

// compared is what --what-if keeps of an alert: its last revision.
type compared struct {
	severity, rule, device, title string
	suppressed, absorbed          bool
}

// act reports whether somebody needs to act on the alert.
func (x *compared) act() bool { return x != nil && !x.suppressed && !x.absorbed }

// alertName identifies an alert in both replays. Ids depend on the time at which an alert begins, which a policy may change.
type alertName struct {
	rule, device, key string
	n                 int // among those of the same rule, device and key
}

// whatIf replays the captures without and with the policies of --what-if, and lists the alerts that differ. Two replays are the only way to get all
// differences: a policy changes what detectors learn and count, not only what is reported.
func (c *replayCmd) whatIf(t *terminal.Terminal, log *zap.Logger, version string) error {
	if err := c.checkWhatIf(); err != nil {
		return badUsage(err)
	}
	cfg, err := c.config(version)
	if err != nil {
		return badUsage(err)
	}
	more, err := readPolicies(c.WhatIf)
	if err != nil {
		return badUsage(err)
	}
	s := watchSignals(context.Background())
	defer s.stop()
	before, _, err := c.compare(t, zap.NewNop(), cfg, s)
	if err != nil {
		return err
	}
	cfg.Policies = append(slices.Clip(cfg.Policies), more...)
	after, damage, err := c.compare(t, log, cfg, s)
	if err != nil {
		return err
	}
	if err := printDifferences(t, t.Out, before, after); err != nil {
		return err
	}
	return verdict(nil, 0, damage)
}

// compare replays the captures and returns their alerts.
func (c *replayCmd) compare(t *terminal.Terminal, log *zap.Logger, cfg pipeline.Config, s *interrupt) (map[alertName]*compared, []string, error) {
	src, err := openCaptures(s, log, c.Captures)
	if err != nil {
		return nil, nil, err
	}
	defer src.Close()
	done, err := continueFrom(t, c.State, &cfg)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	all, names, count := map[alertName]*compared{}, map[string]alertName{}, map[alertName]int{}
	out := pipeline.Output{Policy: logPolicies(log), Alert: func(a *schemas.Alert) error {
		name, ok := names[a.ID]
		if !ok {
			if len(all) >= maxCompared {
				return fmt.Errorf("--what-if compares at most %d alerts: give fewer captures", maxCompared)
			}
			name = alertName{rule: a.Rule.ID, device: a.Device.Key, key: a.Dedupe.Key}
			count[name]++
			name.n = count[name]
			names[a.ID] = name
		}
		all[name] = &compared{a.Severity, a.Rule.ID, a.Device.Key, a.Title, a.SuppressedBy != "", a.AbsorbedBy != ""}
		return nil
	}}
	r, err := pipeline.New(cfg, src, out)
	if err != nil {
		return nil, nil, badUsage(err)
	}
	end := run(r, src, s, t, t.CanRepaint() && t.OutTTY && !c.Quiet)
	var fault *pipeline.PanicError
	switch {
	case errors.As(end.err, &fault):
		return nil, nil, crash(fault)
	case end.signal != 0:
		return nil, nil, endedBy(end.signal, "nothing was compared")
	}
	return all, r.Summary().Damage, end.err
}

// difference is an alert that is not the same in both replays.
type difference struct {
	change string // suppressed, absorbed, removed, added or changed
	*compared
	from string // changed: the severity without the policies
}

// differences returns the alerts to act on that differ, the most severe first.
func differences(before, after map[alertName]*compared) (out []difference) {
	for name, x := range before {
		y := after[name]
		switch {
		case !x.act():
		case y == nil:
			out = append(out, difference{"removed", x, ""})
		case y.suppressed:
			out = append(out, difference{"suppressed", x, ""})
		case y.absorbed:
			out = append(out, difference{"absorbed", x, ""})
		case y.severity != x.severity:
			out = append(out, difference{"changed", y, x.severity})
		}
	}
	for name, y := range after {
		if y.act() && !before[name].act() {
			out = append(out, difference{"added", y, ""})
		}
	}
	rank := func(d difference) int {
		at := slices.Index(terminal.Severities(), d.severity)
		if d.from != "" {
			at = min(at, slices.Index(terminal.Severities(), d.from))
		}
		return at
	}
	slices.SortFunc(out, func(a, b difference) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.change, b.change), strings.Compare(a.rule, b.rule), strings.Compare(a.device, b.device),
			strings.Compare(a.title, b.title))
	})
	return out
}

// printDifferences writes the table and a line with the numbers.
func printDifferences(t *terminal.Terminal, w io.Writer, before, after map[alertName]*compared) error {
	list := differences(before, after)
	rows, counts := [][]string{{"SEVERITY", "CHANGE", "RULE", "DEVICE", "ALERT"}}, map[string]map[string]int{}
	for _, d := range list {
		if counts[d.change] == nil {
			counts[d.change] = map[string]int{}
		}
		counts[d.change][d.severity]++
		severity := d.severity
		if d.from != "" {
			severity = d.from + " to " + severity
		}
		rows = append(rows, []string{severity, d.change, d.rule, d.device, d.title})
	}
	if len(list) > 0 {
		if err := t.Table(w, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s without the policies, %d with them%s\n", terminal.Counted(uint64(acting(before)), "alert"), acting(after), numbers(counts))
	return err
}

func acting(all map[alertName]*compared) (n int) {
	for _, x := range all {
		if x.act() {
			n++
		}
	}
	return n
}

// numbers describes how many alerts of each severity differ: "; suppressed 1 critical, 2 low; added 1 high".
func numbers(counts map[string]map[string]int) (text string) {
	for _, change := range []string{"suppressed", "absorbed", "removed", "added", "changed"} {
		var parts []string
		for _, s := range terminal.Severities() {
			if n := counts[change][s]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, s))
			}
		}
		if len(parts) > 0 {
			text += "; " + change + " " + strings.Join(parts, ", ")
		}
	}
	return cmp.Or(text, "; none differs")
}
