// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/docpage"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// windows returns the time that a rule waits by design after the packet that completes its evidence: 70 s until an attempt counts as
// unanswered (session.DefaultConfig), and 2 s within which a relay may forward what it gets.
func windows() map[string]time.Duration {
	const unanswered = 70 * time.Second
	return map[string]time.Duration{"D06": unanswered, "D07": unanswered, "D13": unanswered, "D11": 2 * time.Second}
}

// TestAlertsAreRaisedInTime checks the time from the last packet of an alert to its first revision: at most one tick, a second, beyond the
// window of the rule. It compares the longest time of each rule with the table in the documentation (-args update writes it).
func TestAlertsAreRaisedInTime(t *testing.T) {
	windows := windows()
	root := testneed.Root(t)
	var table strings.Builder
	table.WriteString("| story | rule | longest time to detect |\n|---|---|---|\n")
	for _, name := range []string{"S1", "S2", "S3", "S4", "S5"} {
		dir := filepath.Join(root, "scripts", "stories", "testdata", name)
		r := run1(t, "replay", "--log-level", "error", "--inventory", filepath.Join(dir, "inventory.yaml"), filepath.Join(dir, "input.pcap"))
		if r.status != exitOK {
			t.Fatalf("%s: exit status %d: %s", name, r.status, r.err)
		}
		longest := map[string]time.Duration{}
		for text := range strings.Lines(r.out) {
			var a schemas.Alert
			if err := json.Unmarshal([]byte(text), &a); err != nil {
				t.Fatal(err)
			}
			if a.Revision != 1 || a.Rule.ID == chainRule { // the event of a chain ends with its last alert: see TestEvidenceIsCompleteInTime
				continue
			}
			took := time.Duration(a.Time.DetectedAt - a.Time.EventEnd)
			if took > windows[a.Rule.ID]+time.Second {
				t.Errorf("%s: %s was raised %v after its last packet: %s", name, a.Rule.ID, took, a.Title)
			}
			longest[a.Rule.ID] = max(longest[a.Rule.ID], took)
		}
		for _, rule := range rules() {
			if took, ok := longest[rule]; ok {
				fmt.Fprintf(&table, "| %s | [%s](%s.md) | %.1f s |\n", name, rule, rule, took.Seconds())
			}
		}
	}
	docpage.Check(t, "detections/README.md", "time to detect", table.String())
}

// TestEvidenceIsCompleteInTime checks that no alert comes more than a tick and the window of its rule after its evidence is complete. The
// alert's own times do not count: each story is cut that long before an alert was detected, and its replay must not raise the alert. A
// replay decides at its end whatever it would have decided later without another packet.
func TestEvidenceIsCompleteInTime(t *testing.T) {
	root := testneed.Root(t)
	for _, name := range []string{"S1", "S2", "S3", "S4", "S5"} {
		dir := filepath.Join(root, "scripts", "stories", "testdata", name)
		replay := func(capture string) []schemas.Alert {
			r := run1(t, "replay", "--log-level", "error", "--inventory", filepath.Join(dir, "inventory.yaml"), capture)
			if r.status != exitOK {
				t.Fatalf("%s: exit status %d: %s", name, r.status, r.err)
			}
			return firstRevisions(t, r.out)
		}
		whole := filepath.Join(dir, "input.pcap")
		all := replay(whole)
		cuts := map[int64][]schemas.Alert{} // by the end of the cut
		for _, a := range all {
			if strings.HasPrefix(a.Dedupe.Key, "together ") {
				continue // it was raised when it became one alert of several, each of which came in time
			}
			cut := int64(a.Time.DetectedAt) - int64(windowOf(&a, all)+time.Second)
			cuts[cut] = append(cuts[cut], a)
		}
		for cut, late := range cuts {
			path := filepath.Join(t.TempDir(), "cut.pcap")
			if !cutBefore(t, whole, path, cut) {
				continue // no packet is left
			}
			raised := map[string]bool{}
			for _, a := range replay(path) {
				raised[identity(&a)] = true
			}
			for _, a := range late {
				if raised[identity(&a)] {
					t.Errorf("%s: the evidence of %s was complete before %s, but the alert came at %s: %s", name, a.Rule.ID,
						time.Unix(0, cut).UTC().Format(time.TimeOnly), time.Unix(0, int64(a.Time.DetectedAt)).UTC().Format(time.TimeOnly), a.Title)
				}
			}
		}
	}
}

// nextLine is the pause before the next line of a Telnet client in the stories. A line sent after the prompt proves the login; at the end of a
// capture the prompt alone must do.
const nextLine = time.Second

// windowOf returns the window of the rule of a. That of a chain is the longest of the device's alerts, which complete it.
func windowOf(a *schemas.Alert, all []schemas.Alert) (longest time.Duration) {
	if a.Rule.ID != chainRule {
		longest = windows()[a.Rule.ID]
		if strings.HasSuffix(a.Title, " by telnet") {
			longest += nextLine
		}
		return longest
	}
	for _, b := range all {
		if b.Device.Key == a.Device.Key && b.Rule.ID != chainRule {
			longest = max(longest, windows()[b.Rule.ID])
		}
	}
	return longest
}

// identity names what an alert is about, without its times.
func identity(a *schemas.Alert) string {
	return a.Rule.ID + " " + a.Device.Key + " " + a.Dedupe.Key
}

func firstRevisions(t *testing.T, out string) (all []schemas.Alert) {
	t.Helper()
	for text := range strings.Lines(out) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		if a.Revision == 1 {
			all = append(all, a)
		}
	}
	return all
}

// cutBefore writes the packets of a capture (pcap, little endian, microseconds) before a time, and reports whether there are any.
func cutBefore(t *testing.T, from, to string, before int64) bool {
	t.Helper()
	const fileHeader, packetHeader = 24, 16
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	end := fileHeader
	for end < len(data) {
		h := data[end:]
		at := int64(binary.LittleEndian.Uint32(h))*1e9 + int64(binary.LittleEndian.Uint32(h[4:]))*1e3
		if at >= before {
			break
		}
		end += packetHeader + int(binary.LittleEndian.Uint32(h[8:]))
	}
	if err := os.WriteFile(to, data[:end], 0o600); err != nil {
		t.Fatal(err)
	}
	return end > fileHeader
}
