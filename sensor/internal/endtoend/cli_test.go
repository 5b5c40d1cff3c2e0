// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testneed"
)

// golden compares text with a file in testdata, or writes the file with -args update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if slices.Contains(flag.Args(), "update") {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (make golden updates it); got:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestHelp(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
	}{
		{"program", nil}, {"run", []string{"run"}}, {"replay", []string{"replay"}}, {"extract", []string{"extract"}}, {"devices", []string{"devices"}}, {"report", []string{"report"}}, {"verify", []string{"verify"}}, {"doctor", []string{"doctor"}},
		{"inventory", []string{"inventory"}}, {"inventory_suggest", []string{"inventory", "suggest"}},
		{"inventory_import", []string{"inventory", "import"}}, {"inventory_export", []string{"inventory", "export"}},
		{"contract", []string{"contract"}}, {"contract_show", []string{"contract", "show"}}, {"contract_diff", []string{"contract", "diff"}},
		{"contract_arm", []string{"contract", "arm"}}, {"contract_freeze", []string{"contract", "freeze"}}, {"contract_approve", []string{"contract", "approve"}},
		{"contract_relearn", []string{"contract", "relearn"}}, {"contract_export", []string{"contract", "export"}}, {"contract_import", []string{"contract", "import"}},
		{"rule", []string{"rule"}}, {"rule_check", []string{"rule", "check"}}, {"rule_test", []string{"rule", "test"}}, {"rule_sigma", []string{"rule", "import-sigma"}},
		{"config", []string{"config"}}, {"config_check", []string{"config", "check"}},
		{"assets", []string{"assets"}}, {"assets_show", []string{"assets", "show"}}, {"assets_update", []string{"assets", "update"}}, {"assets_export", []string{"assets", "export"}},
		{"version", []string{"version"}}, {"completion", []string{"completion"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run1(t, append(c.args, "--help")...)
			if r.status != exitOK || r.err != "" {
				t.Errorf("exit status %d, standard error %q", r.status, r.err)
			}
			golden(t, "help/"+c.name+".txt", r.out)
		})
	}
}

// TestErrors checks that each mistake prints one clear line and ends with exit status 2.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string { return put(t, dir, name, text) }
	good := write(t, sample(t), "good.pcap")
	text := put("notes.txt", "these are no packets\n")
	bad := put("bad.yaml", "version: 1\ndevises: []\n")
	cases := []struct {
		name string
		args []string
		want []string // in the line
	}{
		{"no command", nil, []string{"expected one of", "--help"}},
		{"unknown command", []string{"reply"}, []string{"unexpected argument reply", "--help"}},
		{"unknown flag", []string{"replay", "--inventry", "x", good}, []string{"--inventry", "--inventory", "'stillwatch-sensor replay --help'"}},
		{"no capture", []string{"replay"}, []string{"capture", "'stillwatch-sensor replay --help'"}},
		{"flag without value", []string{"replay", good, "--alerts"}, []string{"--alerts"}},
		{"bad log level", []string{"replay", "--log-level", "loud", good}, []string{"--log-level", "debug"}},
		{"bad filter", []string{"replay", "--filter", "host camera", good}, []string{"--filter: host camera: an address is expected; names are not resolved"}},
		{"bad time", []string{"replay", "--from", "yesterday", good}, []string{`--from: "yesterday" is no time: write 2026-11-30`}},
		{"end before start", []string{"replay", "--from", "2026-11-30", "--to", "2026-11-29", good}, []string{"the end is before the start"}},
		{"bad zone", []string{"replay", "--tz", "Mars", good}, []string{`--tz: "Mars" is no time zone`}},
		{"bad Community ID", []string{"replay", "--community-id", "abc", good}, []string{"a Community ID looks like"}},
		{"state of a part", []string{"replay", "--state", filepath.Join(dir, "s"), "--filter", "tcp", good}, []string{"--state needs the whole capture"}},
		{"missing capture", []string{"replay", filepath.Join(dir, "none.pcap")}, []string{"none.pcap", "no such file"}},
		{"a folder without captures", []string{"replay", t.TempDir()}, []string{"no capture in it"}},
		{"a pattern that matches nothing", []string{"devices", filepath.Join(dir, "*.pcapng")}, []string{"*.pcapng: the pattern matches no file"}},
		{"evidence among the captures", []string{"replay", "--evidence", filepath.Join(filepath.Dir(good), "deep", "er"), filepath.Dir(good)}, []string{"--evidence", "which is read: give another folder"}},
		{"a capture of a folder as output", []string{"replay", "--sessions", good, filepath.Dir(good)}, []string{"--sessions would overwrite the capture"}},
		{"standard input that is followed", []string{"replay", "--follow", "-"}, []string{"standard input: cannot be followed"}},
		{"idle time without following", []string{"replay", "--follow-idle", "1m", good}, []string{"--follow-idle is of use only with --follow"}},
		{"no capture at all", []string{"replay", text}, []string{"notes.txt", "not a capture in the format pcap, pcapng or snoop"}},
		{"two kinds of record on standard output", []string{"replay", "--alerts", "-", "--devices", "/dev/stdout", good}, []string{"--alerts and --devices both write standard output"}},
		{"too few shards", []string{"replay", "--shards", "-1", good}, []string{`--shards: give a number from 0 to 16, not "-1"`}},
		{"too many shards", []string{"replay", "--shards", "1000000000", good}, []string{`--shards: give a number from 0 to 16, not "1000000000"`}},
		{"no number of shards", []string{"devices", good, "--shards"}, []string{"--shards: give a number from 0 to 16"}},
		{"network with host bits", []string{"replay", "--silent", "10.0.0.5/8", good}, []string{"--silent", "the network is 10.0.0.0/8"}},
		{"list of addresses", []string{"replay", "--silent", "10.20.10.17,10.20.10.18", good}, []string{"repeat --silent for each value"}},
		{"inventory that is a capture", []string{"replay", "--inventory", good, good}, []string{"good.pcap:1:", "the file is not UTF-8 text"}},
		{"inventory of brackets", []string{"config", "check", "--inventory", put("deep.yaml", strings.Repeat("[", 100_000))}, []string{"deep.yaml:1:", "deeper than 32"}},
		{"bad network", []string{"replay", "--silent", "10.0.0.0/99", good}, []string{"--silent", "10.0.0.0/99"}},
		{"missing inventory", []string{"replay", "--inventory", filepath.Join(dir, "none.yaml"), good}, []string{"none.yaml", "no such file"}},
		{"bad inventory", []string{"replay", "--inventory", bad, good}, []string{"bad.yaml:2:1", "devises"}},
		{"bad configuration", []string{"replay", "--config", bad, good}, []string{"bad.yaml:2:1", "devises"}},
		{"folder of an output is missing", []string{"replay", "--alerts", filepath.Join(dir, "no", "a.jsonl"), good}, []string{"a.jsonl", "no such file"}},
		{"two records in one file", []string{"replay", "--alerts", dir + "/x", "--devices", dir + "/../" + filepath.Base(dir) + "/x", good}, []string{"--alerts and --devices", "file of its own"}},
		{"two records on standard output", []string{"replay", "--sessions", "-", good}, []string{"--sessions writes standard output, and so do the alerts by default: add --alerts FILE"}},
		{"metrics on standard output", []string{"replay", "--metrics-file", "-", good}, []string{"--metrics-file"}},
		{"a capture as output", []string{"replay", "--sessions", good, good}, []string{"overwrite the capture"}},
		{"hostile name", []string{"replay", dir + "/\x1b[31mred"}, []string{"�[31mred"}},
		{"device that is not there", []string{"devices", "--explain", "cam-99", good}, []string{"no device cam-99"}},
		{"draft over a file", []string{"inventory", "suggest", "-o", bad, good}, []string{"bad.yaml exists: give another file"}},
		{"bad CSV", []string{"inventory", "import", put("bad.csv", "name,mac_address\ncam-1,00:11:22:33:44\n")}, []string{"bad.csv:2:7: column mac_address", "00:11:22:33:44"}},
		{"unknown shell", []string{"completion", "tcsh"}, []string{"bash"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := run1(t, c.args...)
			if r.status != exitUsage || r.out != "" {
				t.Errorf("exit status %d, want %d; standard output %q, want none", r.status, exitUsage, r.out)
			}
			text := regexp.MustCompile(`\n    .*`).ReplaceAllString(r.err, "") // the source of a mistake may follow
			if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, program+": ") {
				t.Errorf("standard error is not one line:\n%s", r.err)
			}
			for _, w := range c.want {
				if !strings.Contains(r.err, w) {
					t.Errorf("%q is not in: %s", w, r.err)
				}
			}
		})
	}
	if after, err := os.ReadFile(good); err != nil || !bytes.HasPrefix(after, []byte{0xd4, 0xc3, 0xb2, 0xa1}) {
		t.Errorf("the capture was changed: %v", err)
	}
}

func TestVersion(t *testing.T) {
	r := run1(t, "version")
	want := runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	if r.status != exitOK || !strings.HasPrefix(r.out, program+" ") || !strings.HasSuffix(r.out, want) {
		t.Errorf("exit status %d: %q", r.status, r.out)
	}
}

func TestCompletionOfBash(t *testing.T) {
	bash := testneed.Command(t, "bash")
	script := run1(t, "completion", "bash").out
	cases := []struct {
		line []string // words, the last is being completed
		want []string
		not  []string
	}{
		{[]string{""}, []string{"replay", "devices", "config"}, []string{"check"}},
		{[]string{"re"}, []string{"replay"}, []string{"devices"}},
		{[]string{"config", ""}, []string{"check"}, []string{"replay"}},
		{[]string{"contract", ""}, []string{"show", "approve"}, []string{"replay"}},
		{[]string{"replay", "--al"}, []string{"--alerts"}, []string{"--json"}},
		{[]string{"devices", "--j"}, []string{"--json"}, nil},
		{[]string{"replay", "--log-level", ""}, []string{"debug", "error"}, []string{"--alerts"}},
		{[]string{"completion", ""}, []string{"bash", "zsh", "fish"}, nil},
		{[]string{"replay", "cli_te"}, []string{"cli_test.go"}, nil},
		{[]string{"replay", "--inventory", "cli_te"}, []string{"cli_test.go"}, nil},
	}
	for _, c := range cases {
		t.Run(strings.Join(c.line, " "), func(t *testing.T) {
			cmd := exec.Command(bash, append([]string{"-c", script + `
compopt() { :; }
COMP_WORDS=(stillwatch-sensor "$@"); COMP_CWORD=$#; _stillwatch_sensor; printf '%s\n' "${COMPREPLY[@]}"`, "bash"}, c.line...)...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			words := strings.Fields(string(out))
			for _, w := range c.want {
				if !slices.Contains(words, w) {
					t.Errorf("%q is not among %q", w, words)
				}
			}
			for _, w := range c.not {
				if slices.Contains(words, w) {
					t.Errorf("%q is among %q", w, words)
				}
			}
		})
	}
}

func TestCompletionOfOtherShells(t *testing.T) {
	for shell, want := range map[string][]string{
		"zsh":  {"#compdef stillwatch-sensor", "--inventory[", ":file:_files", "(debug info warn error)"},
		"fish": {"-l inventory", "__fish_seen_subcommand_from config", "-a 'bash zsh fish'"},
	} {
		r := run1(t, "completion", shell)
		for _, w := range want {
			if !strings.Contains(r.out, w) {
				t.Errorf("%s: %q is not in the script", shell, w)
			}
		}
		if path, err := exec.LookPath(shell); err == nil {
			cmd := exec.Command(path, "-n")
			cmd.Stdin = strings.NewReader(r.out)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", shell, err, out)
			}
		}
	}
}
