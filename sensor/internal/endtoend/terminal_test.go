// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"regexp"
	"strings"
	"testing"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/terminal"
)

var emitted = regexp.MustCompile(`"emitted_at":"[^"]*",?|"boot_id":"[^"]*",?`)

func TestCardsOnATerminal(t *testing.T) {
	r := onTerminal(t, 72, nil, "replay", "--silent", "10.20.10.17", write(t, sample(t), "a.pcap"))
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.out)
	}
	for _, want := range []string{"\x1b[", "D01", "198.51.100.23", "incident", "benign if", "1 capture", "1 expected to be silent, 1 of them opened sessions"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not on the screen", want)
		}
	}
	styles := regexp.MustCompile(`\x1b\[[0-9;]*m`)
	for line := range strings.Lines(styles.ReplaceAllString(r.out, "")) {
		if _, after, ok := strings.Cut(line, eraseLine); ok {
			line = after
		}
		if n := terminal.Columns(strings.TrimSuffix(line, "\n")); n > 72 {
			t.Errorf("%d columns on a screen of 72: %q", n, line)
		}
	}
}

func TestColorsCanBeTurnedOff(t *testing.T) {
	path := write(t, sample(t), "a.pcap")
	for _, c := range []struct {
		name string
		env  []string
		args []string
	}{{"NO_COLOR", []string{"NO_COLOR=1"}, nil}, {"flag", nil, []string{"--no-color"}}} {
		t.Run(c.name, func(t *testing.T) {
			r := onTerminal(t, 100, c.env, append([]string{"replay", "--silent", "10.20.10.17", path}, c.args...)...)
			if text := strings.ReplaceAll(r.out, eraseLine, ""); strings.Contains(text, "\x1b") || !strings.Contains(text, "D01") {
				t.Errorf("screen:\n%q", text)
			}
		})
	}
}

func TestDumbTerminalGetsNoEscape(t *testing.T) {
	path := write(t, sample(t), "a.pcap")
	for _, args := range [][]string{{"replay", "--silent", "10.20.10.17", path}, {"devices", path}} {
		if r := onTerminal(t, 100, []string{"TERM=dumb"}, args...); strings.ContainsAny(r.out, "\x1b\r") || !strings.Contains(r.out, "10.20.10.17") {
			t.Errorf("%s: screen:\n%q", args[0], r.out)
		}
	}
}

func TestSummaryWithoutCardsWhenAlertsGoToAFile(t *testing.T) {
	file := t.TempDir() + "/alerts"
	r := onTerminal(t, 100, nil, "replay", "--alerts", file, "--silent", "10.20.10.17", write(t, sample(t), "a.pcap"))
	if strings.Contains(r.out, "benign if") || !strings.Contains(r.out, "1 capture") {
		t.Errorf("screen:\n%s", r.out)
	}
	if len(records(t, schemas.KindAlert, read(t, file))) == 0 {
		t.Error("no alert in the file")
	}
}

// TestQuiet shows neither cards nor progress, on a terminal and beside it.
func TestQuiet(t *testing.T) {
	path := write(t, sample(t), "a.pcap")
	r := onTerminal(t, 100, nil, "replay", "--quiet", "--silent", "10.20.10.17", path)
	if strings.Contains(r.out, "benign if") || strings.Contains(r.out, eraseLine) || !strings.Contains(r.out, "1 capture") || !strings.Contains(r.out, "high") {
		t.Errorf("screen:\n%q", r.out)
	}
	if r := run1(t, "replay", "--quiet", "--silent", "10.20.10.17", path); r.out != "" || !strings.Contains(r.err, "replay finished") {
		t.Errorf("standard output %q, standard error %q", r.out, r.err)
	}
}
