// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// storyFiles returns the capture and the inventory of a story.
func storyFiles(t *testing.T, name string) (capture, inventory string) {
	t.Helper()
	dir := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", name)
	return filepath.Join(dir, "input.pcap"), filepath.Join(dir, "inventory.yaml")
}

func TestDevicesTable(t *testing.T) {
	capture, inventory := storyFiles(t, "benign")
	r := run1(t, "devices", "--inventory", inventory, capture)
	if r.status != exitOK || r.err != "" {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	ip := strings.Index(lines[0], "IP")
	for _, l := range lines[1:] {
		if len(l) <= ip || l[ip-1] != ' ' {
			t.Errorf("the columns are not aligned: %q", l)
		}
	}
	if !strings.Contains(r.out, "tcp/554 rtsp") || !strings.Contains(r.out, "(inventory)") {
		t.Errorf("the table is incomplete:\n%s", r.out)
	}
}

func TestDevicesAsRecords(t *testing.T) {
	capture, _ := storyFiles(t, "benign")
	r := run1(t, "devices", "--json", "--silent", "10.20.10.17", capture)
	all := records(t, schemas.KindDevice, r.out)
	if len(all) < 10 || r.status != exitOK {
		t.Errorf("exit status %d, %d devices", r.status, len(all))
	}
}

func TestExplainShowsEveryPoint(t *testing.T) {
	capture, inventory := storyFiles(t, "S1")
	byName := run1(t, "devices", "--inventory", inventory, "--explain", "cam-02", capture)
	for _, want := range []string{"role=camera", "vendor=Axis", "oui", "mdns_service", "identified (probability 1.0", "server only: answers"} {
		if !strings.Contains(byName.out, want) {
			t.Errorf("%q is not in\n%s", want, byName.out)
		}
	}
	for _, key := range []string{"10.20.30.12", "AC:CC:8E:00:01:02"} {
		if r := run1(t, "devices", "--inventory", inventory, "--explain", key, capture); r.out != byName.out {
			t.Errorf("--explain %s:\n%s\nby name:\n%s", key, r.out, byName.out)
		}
	}
}

func TestExplainAsARecord(t *testing.T) {
	capture, inventory := storyFiles(t, "S1")
	r := run1(t, "devices", "--json", "--inventory", inventory, "--explain", "10.20.30.12", capture)
	if all := records(t, schemas.KindDevice, r.out); r.status != exitOK || len(all) != 1 || all[0]["key"] != "cam-02" {
		t.Errorf("exit status %d: %s%s", r.status, r.out, r.err)
	}
	if r := run1(t, "devices", "--json", "--explain", "cam-99", capture); r.status != exitUsage || r.out != "" || !strings.Contains(r.err, "no device cam-99") {
		t.Errorf("exit status %d: %s%s", r.status, r.out, r.err)
	}
}

func TestConfigCheckDescribesTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string { return put(t, dir, name, text) }
	put("site.yaml", "version: 1\nsite: hq\ndevices:\n  - name: cam\n    match: {ip: 10.0.0.9}\n    expect: server_only\n    allow:\n      - {peer: \"*.example.com\", proto: tcp, port: 443}\n")
	config := put("sensor.yaml", "version: 1\nsensor: {id: probe-1}\ninventory: site.yaml\nsilent: [10.9.0.0/16]\ndetections:\n  D06: {enabled: false}\n  D01: {severity: low}\n")
	r := run1(t, "config", "check", "--config", config)
	for _, want := range []string{"probe-1", "10.9.0.0/16", "rule D06", "off", "severity low", "device cam", "server only", "443", "*.example.com", "hq"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not in\n%s%s", want, r.out, r.err)
		}
	}
	capture := write(t, sample(t), "a.pcap") // the configuration is used as it is checked
	if r := run1(t, "replay", "--config", config, capture); r.status != exitOK {
		t.Errorf("replay: exit status %d: %s", r.status, r.err)
	}
}

func TestConfigCheckListsAllMistakes(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string { return put(t, dir, name, text) }
	inventory := put("site.yaml", "version: 1\nzone: {}\ndevices:\n  - name: cam\n    match: {ip: 10.0.0.999}\n    expect: quiet\n")
	config := put("sensor.yaml", "version: 1\nidle_days: 0\n")
	r := run1(t, "config", "check", "--config", config, "--inventory", inventory)
	for _, want := range []string{"sensor.yaml:2:", "site.yaml:2:1", "site.yaml:5:", "site.yaml:6:"} {
		if strings.Count(r.err, want) != 1 {
			t.Errorf("%q is not printed once in\n%s", want, r.err)
		}
	}
	if r.status != exitUsage || r.out != "" {
		t.Errorf("exit status %d, standard output %q", r.status, r.out)
	}
	for name, text := range map[string]string{"rule.yaml": "version: 1\ndetections: {D99: {enabled: true}}\n", "param.yaml": "version: 1\ndetections: {D06: {params: {foo: 1}}}\n"} {
		if r := run1(t, "config", "check", "--config", put(name, text)); r.status != exitUsage || !strings.Contains(r.err, name) {
			t.Errorf("%s: exit status %d: %s", name, r.status, r.err)
		}
	}
}
