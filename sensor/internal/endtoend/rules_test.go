// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// rulesExample returns the first example of docs/rules.md as a file, and the output that the page shows.
func rulesExample(t *testing.T) (file, output string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- example -->\n```yaml\n")
	example, rest, _ := strings.Cut(rest, "```\n")
	_, rest, _ = strings.Cut(rest, "<!-- output -->\n```\n")
	output, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("docs/rules.md has no example with its output")
	}
	file = filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, output
}

// TestRulesOfTheDocumentation runs the example of docs/rules.md.
func TestRulesOfTheDocumentation(t *testing.T) {
	rules, want := rulesExample(t)
	story := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", "S1")
	r := run1(t, "rule", "test", "--rules", rules, "--inventory", filepath.Join(story, "inventory.yaml"), filepath.Join(story, "input.pcap"))
	if r.status != exitOK || r.err != "" || r.out != want {
		t.Errorf("exit status %d, %s\ngot\n%s\nwant\n%s", r.status, r.err, r.out, want)
	}
	if r := run1(t, "rule", "check", rules); r.status != exitOK || strings.Count(r.out, "\n") != 4 {
		t.Errorf("check: exit status %d\n%s%s", r.status, r.out, r.err)
	}
}

// TestRulesInTheConfiguration: alerts of a configured rule are written by a replay, whatever the number of shards, and by rule test.
func TestRulesInTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string { return put(t, dir, name, text) }
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	put("rules/a.yaml", "version: 1\nrules:\n  - {id: C010, name: Call of a bad name, on: tls, when: tls.sni == \"c2.example.net\", severity: high}\n")
	config := put("sensor.yaml", "version: 1\nrules: rules\n")
	capture := write(t, sample(t), "in.pcap")
	for _, shards := range []string{"1", "4"} {
		r := run1(t, "replay", "--config", config, "--shards", shards, capture)
		if r.status != exitOK || strings.Count(r.out, `"id":"C010"`) != 1 || !strings.Contains(r.out, "10.20.10.17 (Dell) opened a TLS session with c2.example.net:443: Call of a bad name") {
			t.Errorf("%s shards: exit status %d\n%s%s", shards, r.status, r.out, r.err)
		}
	}
	if r := run1(t, "rule", "test", "--config", config, capture); r.status != exitOK || !strings.Contains(r.out, "C010  Call of a bad name  1        1        1") {
		t.Errorf("test: exit status %d\n%s%s", r.status, r.out, r.err)
	}
	if r := run1(t, "config", "check", "--config", config); r.status != exitOK || !strings.Contains(r.out, "rule C010") {
		t.Errorf("check: exit status %d\n%s%s", r.status, r.out, r.err)
	}
	put("rules/b.yaml", "version: 1\nrules:\n  - {id: C011, name: Wrong, on: tls, when: tls.snu == \"\"}\n")
	for _, args := range [][]string{{"replay", "--config", config, capture}, {"config", "check", "--config", config}, {"rule", "check", filepath.Join(dir, "rules")}} {
		if r := run1(t, args...); r.status != exitUsage || !strings.Contains(r.err, `b.yaml:3:48: when: tls has no field "snu"`) {
			t.Errorf("%q: exit status %d, %s", args, r.status, r.err)
		}
	}
	if r := run1(t, "rule", "test", capture); r.status != exitUsage || !strings.Contains(r.err, "no rules: give --rules FILE") {
		t.Errorf("no rules: exit status %d, %s", r.status, r.err)
	}
}

// TestImportSigma translates the Sigma rule of docs/rules.md as the page says; what does not translate is on standard error.
func TestImportSigma(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(testneed.Root(t), "docs", "rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## Sigma rules")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	example, rest, _ := strings.Cut(rest, "```\n")
	_, rest, _ = strings.Cut(rest, "```yaml\n")
	want, _, _ := strings.Cut(rest, "```\n")
	dir := t.TempDir()
	in, out, other := filepath.Join(dir, "a.yml"), filepath.Join(dir, "out.yaml"), filepath.Join(dir, "b.yml")
	process := "title: A process\nlogsource: {category: process_creation}\ndetection: {a: {Image: x}, condition: a}\n"
	for path, text := range map[string]string{in: example + "---\n" + process, other: process} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := run1(t, "rule", "import-sigma", "--first", "C100", in)
	if r.status != exitOK || r.out != want || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, "A process: not translated: the sensor has no log source") {
		t.Errorf("exit status %d, %s\ngot\n%s\nwant\n%s", r.status, r.err, r.out, want)
	}
	if r := run1(t, "rule", "import-sigma", "-o", out, in); r.status != exitOK || r.out != "" {
		t.Errorf("exit status %d\n%s%s", r.status, r.out, r.err)
	}
	if r := run1(t, "rule", "check", out); r.status != exitOK || !strings.Contains(r.out, "C001  Remote access tool") {
		t.Errorf("check: exit status %d\n%s%s", r.status, r.out, r.err)
	}
	if r := run1(t, "rule", "import-sigma", other); r.status != exitIncomplete || r.out != "" || !strings.Contains(r.err, "no rule was translated") {
		t.Errorf("nothing to translate: exit status %d\n%s%s", r.status, r.out, r.err)
	}
	long := strings.Replace(example, "title: Remote", "title: A long title that names every program with which somebody reaches a remote", 1)
	if err := os.WriteFile(other, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run1(t, "rule", "import-sigma", other); r.status != exitOK || !strings.Contains(r.err, "the title is longer than the name of a rule") {
		t.Errorf("a long title: exit status %d\n%s", r.status, r.err)
	}
	if r := run1(t, "rule", "import-sigma", "--first", "D1", in); r.status != exitUsage || !strings.Contains(r.err, "--first: give C and 2 to 4 digits") {
		t.Errorf("wrong id: exit status %d\n%s%s", r.status, r.out, r.err)
	}
}
