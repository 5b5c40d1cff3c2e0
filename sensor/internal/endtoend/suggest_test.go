// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/config"
)

// suggested writes the inventory that is suggested for a capture and checks it.
func suggested(t *testing.T, capture string, more ...string) (file, text string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "draft.yaml")
	if r := run1(t, append([]string{"inventory", "suggest", "-o", file, capture}, more...)...); r.status != exitOK || r.out+r.err != "" {
		t.Fatalf("%s: exit status %d: %s%s", capture, r.status, r.out, r.err)
	}
	if r := run1(t, "config", "check", "--inventory", file); r.status != exitOK {
		t.Fatalf("%s: %s", capture, r.err)
	}
	return file, read(t, file)
}

// alertsOf returns the last revisions of the alerts of a replay.
func alertsOf(t *testing.T, args ...string) (all []schemas.Alert) {
	t.Helper()
	r := run1(t, append([]string{"replay", "--log-level", "error"}, args...)...)
	if r.status != exitOK || r.err != "" {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	for line := range strings.Lines(r.out) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		all = slices.DeleteFunc(all, func(b schemas.Alert) bool { return a.ID == b.ID })
		all = append(all, a)
	}
	return all
}

func storyFile(t *testing.T, name, file string) string {
	return filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", name, file)
}

// TestSuggestedInventoryIsQuiet suggests an inventory from a quiet week: it describes every device that the hand-written inventory has, and with
// it the same week raises no alert.
func TestSuggestedInventoryIsQuiet(t *testing.T) {
	capture := storyFile(t, "benign", "input.pcap")
	file, text := suggested(t, capture)
	r := run1(t, "devices", "--json", capture)
	described := 0
	for line := range strings.Lines(r.out) {
		var d schemas.Device
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, `match: {mac: "`+d.MAC.String()+`"}`) {
			t.Errorf("the draft lacks %s", d.Key)
		}
		if d.Role == "camera" || d.Role == "nvr" || d.Role == "printer" {
			if !strings.Contains(text, strings.TrimSpace(d.Vendor+" "+d.Model)+", "+d.Role) {
				t.Errorf("the draft does not say what %s is", d.Key)
			}
		}
		described++
	}
	if described < 16 {
		t.Errorf("%d devices", described)
	}
	for _, want := range []string{"    - 10.20.1.53 ", "    - 10.20.1.123 ", "    - 10.20.1.1 ", "{peer: device:cam-01, proto: tcp, port: 554}", "{peer: updates.example.net, proto: tcp, port: 443}",
		"Lines to review: none"} {
		if !strings.Contains(text, want) {
			t.Errorf("the draft lacks %q", want)
		}
	}
	if inv, err := config.LoadInventory(file); err != nil || len(inv.Devices) != described {
		t.Errorf("%d devices described: %v", described, err)
	}
	for _, a := range alertsOf(t, "--inventory", file, capture) {
		t.Errorf("with the suggested inventory: %s %s", a.Rule.ID, a.Title)
	}
	if _, again := suggested(t, capture, "--shards", "5"); again != text {
		t.Errorf("another number of shards gives another draft: %s", difference(again, text))
	}
}

// TestSuggestionAllowsNoAttack suggests inventories from captures with attacks: what the alerts of medium severity and above are about raises
// them again with the suggested inventory, at least as severe, and no entry allows the peers of the attacks.
func TestSuggestionAllowsNoAttack(t *testing.T) {
	for name, peers := range map[string][]string{
		"S1": {"mail.example.com", "192.0.2.10", "203.0.113.66"},
		"S2": {"video-drop.example.com", "203.0.113.140"},
		"S3": {"update-cdn.example.com", "198.51.100.200", "198.51.100.77", "port: 23"},
		"S4": {"cam-upload.example.com", "198.51.100.201"},
		"S5": nil,
	} {
		capture := storyFile(t, name, "input.pcap")
		file, text := suggested(t, capture)
		var active strings.Builder
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, "#")
			active.WriteString(line)
		}
		for _, p := range peers {
			if strings.Contains(active.String(), p) {
				t.Errorf("%s: the draft allows %s", name, p)
			}
		}
		if len(peers) > 0 && !strings.Contains(text, "# review: ") {
			t.Errorf("%s: nothing to review", name)
		}
		with := alertsOf(t, "--inventory", file, capture)
		for _, a := range alertsOf(t, capture) {
			if rank(a.Severity) < rank("medium") {
				continue
			}
			if !slices.ContainsFunc(with, func(b schemas.Alert) bool {
				same := a.Rule.ID == b.Rule.ID && (a.Peer == nil || b.Peer != nil && a.Peer.IP == b.Peer.IP)
				if a.Peer != nil && slices.Contains(b.Entities, "ip:"+a.Peer.IP.String()) {
					same = true // one alert about many peers
				}
				return same && a.Device.IP == b.Device.IP && rank(b.Severity) >= rank(a.Severity)
			}) {
				t.Errorf("%s: the suggested inventory hides %s %s", name, a.Rule.ID, a.Title)
			}
		}
	}
}

func rank(severity string) int {
	return slices.Index([]string{"informational", "low", "medium", "high", "critical"}, severity)
}

// TestSuggestedInventoriesOfTheCorpus suggests inventories from captures of ten kinds of devices at their first start. With these, the captures
// raise no alert.
func TestSuggestedInventoriesOfTheCorpus(t *testing.T) {
	root := filepath.Join(testneed.Corpus(t), "captures", "sentinel")
	for _, kind := range []string{"Aria", "D-LinkHomeHub", "D-LinkSwitch", "D-LinkSiren", "EdimaxCam1", "EdimaxPlug2101W", "HueBridge", "SmarterCoffee", "TP-LinkPlugHS100", "Withings"} {
		files, err := os.ReadDir(filepath.Join(root, kind))
		if err != nil || len(files) == 0 {
			testneed.Missing(t, testneed.CorpusNeed, "no captures of %s: %v", kind, err)
			continue
		}
		capture := filepath.Join(root, kind, files[0].Name())
		file, text := suggested(t, capture)
		if !strings.Contains(text, "  - name: ") {
			t.Errorf("%s: no device", kind)
		}
		for _, a := range alertsOf(t, "--inventory", file, capture) {
			t.Errorf("%s: %s %s", kind, a.Rule.ID, a.Title)
		}
	}
}
