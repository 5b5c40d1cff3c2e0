// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"stillwatch/schemas"
)

// report is a line of the report as JSON.
type report struct {
	Device  schemas.Device `json:"device"`
	Owner   string         `json:"owner"`
	Exposed []string       `json:"exposed"`
	Broken  []string       `json:"contract_broken"`
	Alerts  map[string]int `json:"alerts"`
	Decide  []string       `json:"decide"`
}

// reportOf returns the report on a story by device.
func reportOf(t *testing.T, name string) map[string]report {
	t.Helper()
	capture, inventory := storyFiles(t, name)
	r := run1(t, "report", "--json", "--inventory", inventory, capture)
	if r.status != exitOK || r.err != "" {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	all := map[string]report{}
	for line := range strings.Lines(r.out) {
		var x report
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		all[x.Device.Key] = x
	}
	return all
}

// TestReport checks the periodic check of S5: the server that nobody uses, old firmware and exposed ports, each with its question.
func TestReport(t *testing.T) {
	capture, inventory := storyFiles(t, "S5")
	r := run1(t, "report", "--inventory", inventory, capture)
	if r.status != exitOK || r.err != "" {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	golden(t, "report.txt", r.out)

	all := reportOf(t, "S5")
	asks := func(device, question string) {
		t.Helper()
		if x := all[device]; !slices.ContainsFunc(x.Decide, func(s string) bool { return strings.Contains(s, question) }) {
			t.Errorf("%s: %q does not ask %q", device, x.Decide, question)
		}
	}
	asks("srv-legacy-07", "Is it still needed?")
	asks("cam-03", "Must hosts outside reach")
	asks("nvr", "firmware")
	for device, x := range all {
		if device != "srv-legacy-07" && slices.ContainsFunc(x.Decide, func(s string) bool { return strings.Contains(s, "needed") }) {
			t.Errorf("%s is in use, and the report asks whether it is needed", device)
		}
	}
	if x := all["srv-legacy-07"]; x.Owner != "infrastructure team" || len(x.Exposed) > 0 || len(x.Broken) > 0 || x.Device.LastOrigination != nil || len(x.Device.Findings) == 0 {
		t.Errorf("srv-legacy-07: %+v", x)
	}
}

// TestReportOfAnAttack checks that the report of S1 names the sessions outside of the contract, and no longer asks whether the server is needed.
func TestReportOfAnAttack(t *testing.T) {
	x := reportOf(t, "S1")["srv-legacy-07"]
	if len(x.Broken) == 0 || x.Alerts["critical"] == 0 || len(x.Exposed) == 0 || x.Device.LastOrigination == nil {
		t.Errorf("%+v", x)
	}
	if slices.ContainsFunc(x.Decide, func(s string) bool { return strings.Contains(s, "needed") }) {
		t.Errorf("%q", x.Decide)
	}
}

// TestReportRefuses checks bad values, and a capture without anything to check.
func TestReportRefuses(t *testing.T) {
	for _, days := range []string{"0", "91"} {
		if r := run1(t, "report", "--idle-days", days, write(t, sample(t), "a.pcap")); r.status != exitUsage || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, "--idle-days") {
			t.Errorf("%s: exit status %d, %q", days, r.status, r.err)
		}
	}
	r := run1(t, "report", write(t, sample(t), "a.pcap"))
	if r.status != exitOK || !strings.HasPrefix(r.out, "no device to check") {
		t.Errorf("exit status %d, %q, %q", r.status, r.out, r.err)
	}
}
