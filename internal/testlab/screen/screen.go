// SPDX-License-Identifier: Apache-2.0

// Package screen displays a lab run on a terminal: the network, the steps and alerts, and the results.
package screen

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"stillwatch/internal/testlab/progress"
	"stillwatch/internal/testlab/story"
	"stillwatch/schemas"
)

// Picture returns a diagram of the lab.
func Picture(way string, oneWay bool) string {
	mirror := "both directions"
	if oneWay {
		mirror = "without frames from the uplink"
	}
	return `
    outside                         office 10.20.0.0/16, one bridge
    203.0.113.66   intruder  ┐      ┌ dns            10.20.1.53
    198.51.100.77  worm      │      ├ ws-operator    10.20.50.21
    203.0.113.9    controller├─ router ─┬─ switch ─┬ srv-legacy-07  10.20.10.17   silent, SSH open
    198.51.100.23  mail      │   10.20.1.1         ├ srv-files      10.20.10.21
    192.0.2.0/24   others    ┘          │          ├ nvr            10.20.30.5    Telnet open
                                        │          └ cam-01 to -03  10.20.30.11 to 13, RTSP
                                        ║ mirror port (tc mirred; ` + mirror + `)
                                        ╚═══ ` + way + ` ═══► stillwatch-sensor, no address

`
}

const column = 66

// View prints steps on the left and alerts on the right as they arrive. Its methods are safe for concurrent use.
type View struct {
	mu    sync.Mutex
	w     io.Writer
	seen  map[string]bool
	alert int // number of all alerts
	shown int
}

// NewView returns a view that prints to w.
func NewView(w io.Writer) *View { return &View{w: w, seen: map[string]bool{}} }

// Heading prints a heading.
func (v *View) Heading(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.print("\n%s  ── %s\n", time.Now().Format(time.TimeOnly), text)
}

// Step prints a step.
func (v *View) Step(x progress.Step) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, line := range wrap(x.Who+" "+x.Text, column-12) {
		when := "        "
		if i == 0 {
			when = x.Time.Format(time.TimeOnly)
		}
		v.print("%s  %s\n", when, line)
	}
}

// Alert prints an alert if it meets an expectation, or if it is the first of its rule, device and kind. It counts all alerts.
func (v *View) Alert(a schemas.Alert, met bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if a.Revision == 1 {
		v.alert++
	}
	kind := a.Rule.ID + a.Rule.Kind + a.Device.Key
	if v.seen[kind] && !met {
		return
	}
	v.seen[kind] = true
	v.shown++
	head := fmt.Sprintf("%s  %-13s %s ", time.Now().Format(time.TimeOnly), strings.ToUpper(a.Severity), a.Rule.ID)
	for i, line := range wrap(a.Title, 64) {
		if i > 0 {
			head = strings.Repeat(" ", len(head))
		}
		v.print("%s%s%s\n", strings.Repeat(" ", column), head, line)
	}
}

// Summary returns the number of all alerts as a sentence.
func (v *View) Summary() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return fmt.Sprintf("%d alerts in all.\n", v.alert)
}

// print ignores errors: they mean that the reader has closed the output.
func (v *View) print(format string, args ...any) { _, _ = fmt.Fprintf(v.w, format, args...) }

// wrap breaks text at spaces into lines of at most n characters.
func wrap(text string, n int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > n {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(lines, line)
}

// Table returns the expected alerts with their results. In a replay the times are by the capture clock.
func Table(results []story.Result, replayed bool) string {
	var b strings.Builder
	clock := "time from the step to the arrival of the alert"
	if replayed {
		clock = "time from the step to the alert, by the capture clock"
	}
	fmt.Fprintf(&b, "\n%-5s %-4s %-13s %-44s %-13s %9s\n", "story", "rule", "device", "expected", "raised as", "after")
	missing := 0
	for _, r := range results {
		came, after := "missing", ""
		if r.Came.IsZero() {
			missing++
		} else {
			came, after = r.Severity, fmt.Sprintf("%.3f s", r.Came.Sub(r.Step).Seconds())
		}
		fmt.Fprintf(&b, "%-5s %-4s %-13s %-44s %-13s %9s\n", r.Story, r.Rule, r.Device, r.Title, came, after)
	}
	fmt.Fprintf(&b, "\n%d of %d expected alerts were raised (%s).\n", len(results)-missing, len(results), clock)
	return b.String()
}
