// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/mutate"
	"stillwatch/sensor/internal/customrule"
)

const allRuleKeys = `version: 1
rules:
  - id: C001
    name: Camera fetches a script
    on: http
    about: client
    when: |
      device.role == "camera" and
      http.uri endsWith ".sh"
    severity: high
    count: 3
    within: 90min
    per: device
    title: "{device} fetches a script from {peer}"
    message: "{device} asked {peer} for a script."
    steps: [Look at the script., Ask the owner., Isolate the camera.]
    attack: [T1105, T0869]
    source: own work
  - {id: C0002, name: Telnet, on: opened, when: session.port == 23}
`

func TestRulesOfADocument(t *testing.T) {
	rules, err := ParseRules("r.yaml", []byte(allRuleKeys))
	if err != nil {
		t.Fatal(err)
	}
	want := &customrule.Rule{ID: "C001", Name: "Camera fetches a script", On: customrule.OnHTTP, About: "client", When: "device.role == \"camera\" and\nhttp.uri endsWith \".sh\"\n",
		Severity: "high", Count: 3, Within: 90 * time.Minute, Title: "{device} fetches a script from {peer}", Message: "{device} asked {peer} for a script.",
		Steps: []string{"Look at the script.", "Ask the owner.", "Isolate the camera."}, Attack: []string{"T1105", "T0869"}, Source: "own work"}
	if got, want := text(t, rules[0]), text(t, want); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if rules[0].Cost() < 3 {
		t.Error("the rule is not compiled")
	}
	if r := rules[1]; r.ID != "C0002" || r.Severity != "medium" || r.Count != 1 || r.Within != 24*time.Hour || !r.PerPair {
		t.Errorf("defaults: %+v", r)
	}
}

func text(t *testing.T, r *customrule.Rule) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each file of testdata/badrules has mistakes; the messages stand beside it.
func TestBadRules(t *testing.T) {
	files, err := filepath.Glob("testdata/badrules/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = ParseRules(filepath.Base(path), src); err == nil {
			t.Errorf("%s is accepted", path)
			continue
		}
		golden(t, strings.TrimSuffix(path, ".yaml")+".txt", err.Error()+"\n")
	}
}

// TestRulesOfAFolder reads all YAML files of a folder, and reports the mistakes of all of them.
func TestRulesOfAFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rule := func(id string) string {
		return "version: 1\nrules:\n  - {id: " + id + ", name: n, on: opened, when: session.port == 23}\n"
	}
	write("b.yaml", rule("C02"))
	write("a.yml", rule("C03"))
	write("notes.txt", "no rules")
	write(".hidden.yaml", "no rules")
	rules, err := LoadRules(dir)
	if err != nil || len(rules) != 2 || rules[0].ID != "C03" || rules[1].ID != "C02" {
		t.Errorf("%v, %v", rules, err)
	}
	write("c.yaml", rule("C03"))
	if _, err := LoadRules(dir); err == nil || !strings.Contains(err.Error(), "two rules have the id C03") {
		t.Errorf("the same id in two files: %v", err)
	}
	write("c.yaml", rule("X1"))
	write("d.yaml", rule("X2"))
	if _, err := LoadRules(dir); err == nil || !strings.Contains(err.Error(), "X1") || !strings.Contains(err.Error(), "X2") {
		t.Errorf("mistakes in two files: %v", err)
	}
	if rules, err := LoadRules(""); rules != nil || err != nil {
		t.Errorf("no path: %v, %v", rules, err)
	}
	if _, err := LoadRules(filepath.Join(dir, "none.yaml")); err == nil {
		t.Error("a file that does not exist is accepted")
	}
}

func FuzzRules(f *testing.F) {
	f.Add([]byte(allRuleKeys))
	f.Add([]byte("version: 1\nrules:\n  - when: 'session.port =='\n    on: opened\n"))
	f.Add([]byte("version: 1\nrules:\n  - when: >-\n      a\n\n      b ==\n    on: dns\n"))
	mutate.Fuzz(f, func(t *testing.T, src []byte) {
		rules, err := ParseRules("f", src)
		for _, r := range rules {
			if e := r.Compile(); err == nil && e != nil {
				t.Fatalf("a rule that is accepted does not compile: %+v: %v", r, e)
			}
		}
	})
}
