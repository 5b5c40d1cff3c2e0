// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/detect"
)

// line is what want.jsonl has of an alert: the fields of its last revision that a reader compares with the story. Incidents are numbered in the
// order in which they start.
type line struct {
	Time     schemas.Time `json:"time"`
	Incident int          `json:"incident"`
	Rule     string       `json:"rule"`
	Severity string       `json:"severity"`
	Device   string       `json:"device"`
	Peer     string       `json:"peer,omitempty"`
	Count    int          `json:"count"`
	Title    string       `json:"title"`
	Absorbed bool         `json:"absorbed,omitempty"` // another alert tells it
}

// story replays a story and returns the last revisions of its alerts.
func story(t *testing.T, dir string) (all []line) {
	t.Helper()
	r := run1(t, "replay", "--log-level", "error", "--inventory", filepath.Join(dir, "inventory.yaml"), filepath.Join(dir, "input.pcap"))
	if r.status != exitOK || r.err != "" {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	records(t, schemas.KindAlert, r.out)
	place, incident := map[string]int{}, map[string]int{}
	for text := range strings.Lines(r.out) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatal(err)
		}
		if _, ok := incident[a.IncidentID]; !ok {
			incident[a.IncidentID] = len(incident) + 1
		}
		l := line{a.Time.EventStart, incident[a.IncidentID], a.Rule.ID, a.Severity, a.Device.Key, "", a.Dedupe.Count, a.Title, a.AbsorbedBy != ""}
		if a.Peer != nil && a.Peer.IP.IsValid() {
			l.Peer = a.Peer.IP.String()
		}
		if i, ok := place[a.ID]; ok {
			all[i] = l
			continue
		}
		place[a.ID] = len(all)
		all = append(all, l)
	}
	return all
}

// expected returns the rules that the README of a story expects, and those that it marks as not implemented, sorted.
func expected(t *testing.T, dir string) (asked, awaited []string) {
	t.Helper()
	text := read(t, filepath.Join(dir, "README.md"))
	for _, m := range regexp.MustCompile(`(?m)^\| (D\d\d)\b`).FindAllStringSubmatch(text, -1) {
		asked = append(asked, m[1])
	}
	slices.Sort(asked)
	if m := regexp.MustCompile(`(?m)^\*\*.want\.jsonl. is what today's detectors tell.* the awaited rules ((?:D\d\d(?:, )?)+)`).FindStringSubmatch(text); m != nil {
		awaited = regexp.MustCompile(`D\d\d`).FindAllString(m[1], -1)
	}
	return slices.Compact(asked), awaited
}

// mark returns the first line of a golden file for a story that expects rules that do not exist yet.
func mark(t *testing.T, dir string) string {
	t.Helper()
	asked, _ := expected(t, dir)
	missing := slices.DeleteFunc(asked, func(rule string) bool { return slices.Contains(rules(), rule) })
	if len(missing) == 0 {
		return ""
	}
	text, err := json.Marshal(struct {
		Note   string   `json:"note"`
		Awaits []string `json:"awaits"`
	}{"as far as today's detectors tell; no alert of the awaited rules is in here", missing})
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// TestStoriesNameMissingRules checks the README of each story against the rules that exist, so that an incomplete golden file is marked as such,
// and a complete one is not.
func TestStoriesNameMissingRules(t *testing.T) {
	root := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata")
	for _, name := range []string{"S1", "S2", "S3", "S4", "S5", "benign"} {
		asked, awaited := expected(t, filepath.Join(root, name))
		if len(asked) == 0 && name != "benign" {
			t.Errorf("%s: README.md expects no rule", name)
		}
		missing := slices.DeleteFunc(asked, func(rule string) bool { return slices.Contains(rules(), rule) })
		if !slices.Equal(awaited, missing) {
			t.Errorf("%s: README.md marks %v as missing, but %v are: see awaitedRules of scripts/stories, then make stories and make golden", name, awaited, missing)
		}
		if first, _, _ := strings.Cut(read(t, filepath.Join(root, name, "want.jsonl")), "\n"); strings.Contains(first, `"awaits"`) != (len(missing) > 0) {
			t.Errorf("%s: want.jsonl starts with %.100s, and %v are missing", name, first, missing)
		}
	}
}

// TestStoriesGiveTheExpectedAlerts compares each story with its golden file. -args update writes the file; compare it with the README of the
// story.
func TestStoriesGiveTheExpectedAlerts(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var b strings.Builder
			b.WriteString(mark(t, dir))
			for _, l := range story(t, dir) {
				text, err := json.Marshal(l)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&b, "%s\n", text)
			}
			path := filepath.Join(dir, "want.jsonl")
			if slices.Contains(flag.Args(), "update") {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, path); b.String() != want {
				t.Errorf("want.jsonl differs (make golden updates it): %s", difference(b.String(), want))
			}
		})
	}
}

// TestStoriesGiveTheExpectedNarrative compares the title and the narrative of each incident with the golden file narrative.md of the
// story, which is made to be read. -args update writes it.
func TestStoriesGiveTheExpectedNarrative(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got, path := narrative(t, dir), filepath.Join(dir, "narrative.md")
			if slices.Contains(flag.Args(), "update") {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, path); got != want {
				t.Errorf("narrative.md differs (make golden updates it): %s", difference(got, want))
			}
		})
	}
}

// narrative returns the last revision of each incident of a story as text.
func narrative(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "incidents")
	r := run1(t, "replay", "--inventory", filepath.Join(dir, "inventory.yaml"), "--alerts", os.DevNull, "--incidents", file, filepath.Join(dir, "input.pcap"))
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	var order []string
	last := map[string]schemas.Incident{}
	for _, line := range strings.Split(strings.TrimSpace(read(t, file)), "\n") {
		if line == "" {
			continue
		}
		var i schemas.Incident
		if err := errors.Join(schemas.Validate(schemas.KindIncident, []byte(line)), json.Unmarshal([]byte(line), &i)); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		before, known := last[i.ID]
		if !known {
			order = append(order, i.ID)
		}
		if i.Revision != before.Revision+1 || before.Action == "close" || (i.Action == "create") != (i.Revision == 1) {
			t.Errorf("incident %s: revision %d (%s) follows %d (%s)", i.ID, i.Revision, i.Action, before.Revision, before.Action)
		}
		last[i.ID] = i
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Incidents of %s\n", filepath.Base(dir))
	if len(order) == 0 {
		b.WriteString("\nNone.\n")
	}
	for _, id := range order {
		describe(&b, last[id])
	}
	return b.String()
}

func describe(b *strings.Builder, i schemas.Incident) {
	fmt.Fprintf(b, "\n## %s\n\n%s, risk %d, probability %.2f, alerts: %d\n\n", i.Title, i.Severity, i.RiskScore, i.Probability, i.AlertsTotal)
	for _, s := range i.Narrative {
		fmt.Fprintf(b, "- %s %s\n", schemas.FormatTime(time.Unix(0, int64(s.Time)))[:19], s.Text)
	}
	var stages, devices, peers []string
	for _, s := range i.Stages {
		stages = append(stages, s.Stage+" ("+s.Rule+")")
	}
	for _, d := range i.Devices {
		devices = append(devices, d.Key+" ("+d.Part+")")
	}
	for _, p := range i.Peers {
		peers = append(peers, strings.TrimSpace(p.IP.String()+" "+p.Name))
	}
	for _, l := range []struct {
		what string
		list []string
	}{{"Stages", stages}, {"Devices", devices}, {"Peers", peers}} {
		if len(l.list) > 0 {
			fmt.Fprintf(b, "\n%s: %s\n", l.what, strings.Join(l.list, ", "))
		}
	}
	fmt.Fprintf(b, "\nFirst: %s\n", i.Recommendation)
}

// TestStoriesAreOneIncident checks what must hold for every golden file: an attack is one incident with a chain alert on the device that is
// attacked, and the benign captures raise no such alert.
func TestStoriesAreOneIncident(t *testing.T) {
	for name, device := range map[string]string{"S1": "srv-legacy-07", "S2": "vms", "S3": "nvr", "S4": "cam-12", "S5": "", "benign": ""} {
		t.Run(name, func(t *testing.T) {
			chains, loud, live, incidents := 0, 0, 0, map[int]bool{}
			for _, l := range story(t, filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", name)) {
				if !l.Absorbed {
					live++
				}
				if l.Severity == "critical" || l.Severity == "high" && device != "" {
					loud++
					incidents[l.Incident] = true
				}
				if l.Rule == chainRule {
					chains++
					if l.Severity != "critical" || l.Device != device {
						t.Errorf("the chain is %s, about %s, want critical, about %s", l.Severity, l.Device, device)
					}
				}
			}
			if live > 12 {
				t.Errorf("%d alerts tell one story, want at most 12", live)
			}
			switch {
			case device == "" && loud+chains > 0:
				t.Errorf("%d high or critical alerts and %d chains, but there is no attack", loud, chains)
			case device != "" && (chains != 1 || len(incidents) != 1):
				t.Errorf("%d chains and %d incidents, want one of each", chains, len(incidents))
			}
		})
	}
}

// chainRule is the rule whose alert links the alerts of an incident.
var chainRule = detect.RuleChain().ID

// rules returns the ids of all rules in order.
func rules() []string {
	var all []string
	for _, r := range detect.Rules() {
		all = append(all, r.ID)
	}
	return all
}
