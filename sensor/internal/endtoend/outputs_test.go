// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// desk is a folder with a capture, an inventory, a configuration that names the inventory, and links to them.
type desk struct {
	t   *testing.T
	dir string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	d := desk{t, t.TempDir()}
	d.put("c.pcap", read(t, write(t, sample(t), "c.pcap")))
	d.put("inv.yaml", "version: 1\n")
	d.put("sensor.yaml", "version: 1\ninventory: inv.yaml\n")
	d.put("old", "what was there\n")
	for name, target := range map[string]string{"link-inv": "inv.yaml", "link-new": "new", "link-old": "old"} {
		if err := os.Symlink(target, d.at(name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"hard-inv": "inv.yaml", "hard-old": "old"} {
		if err := os.Link(d.at(target), d.at(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(d.at("fifo"), 0o600); err != nil {
		testneed.Missing(t, "fifo", "no FIFO here: %v", err)
	}
	return d
}

func (d desk) at(name string) string { return filepath.Join(d.dir, name) }

func (d desk) put(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(d.at(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// state returns the names, types and contents of the files.
func (d desk) state() string {
	d.t.Helper()
	all, err := os.ReadDir(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range all {
		b.WriteString(e.Name() + " " + e.Type().String())
		if e.Type().IsRegular() {
			b.WriteString(" " + read(d.t, d.at(e.Name())))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestOutputsDestroyNothing names an input as an output, in every way. Each ends with status 2 before a file is created, written or truncated.
func TestOutputsDestroyNothing(t *testing.T) {
	d := newDesk(t)
	cases := []struct {
		name string
		args []string // words with a @ in front are files on the desk
		want string
	}{
		{"inventory", []string{"--inventory", "@inv.yaml", "--alerts", "@inv.yaml"}, "--alerts would overwrite the inventory"},
		{"inventory by a link", []string{"--inventory", "@inv.yaml", "--sessions", "@link-inv"}, "--sessions would overwrite the inventory"},
		{"inventory by a hard link", []string{"--inventory", "@inv.yaml", "--devices", "@hard-inv"}, "--devices would overwrite the inventory"},
		{"inventory of the configuration", []string{"--config", "@sensor.yaml", "--alerts", "@inv.yaml"}, "--alerts would overwrite the inventory"},
		{"metrics over the inventory", []string{"--inventory", "@inv.yaml", "--metrics-file", "@inv.yaml"}, "--metrics-file would overwrite the inventory"},
		{"configuration", []string{"--config", "@sensor.yaml", "--alerts", "@sensor.yaml"}, "--alerts would overwrite the configuration"},
		{"capture", []string{"--alerts", "@c.pcap"}, "--alerts would overwrite the capture"},
		{"metrics over the capture", []string{"--metrics-file", "@c.pcap"}, "--metrics-file would overwrite the capture"},
		{"one file by a link", []string{"--alerts", "@old", "--sessions", "@link-old"}, "--alerts and --sessions both write"},
		{"one file by a hard link", []string{"--alerts", "@old", "--devices", "@hard-old"}, "--alerts and --devices both write"},
		{"one new file", []string{"--alerts", "@new", "--devices", "@new"}, "--alerts and --devices both write"},
		{"one new file by a link", []string{"--alerts", "@link-new", "--sessions", "@new"}, "--alerts and --sessions both write"},
		{"metrics over a record", []string{"--alerts", "@hard-old", "--metrics-file", "@old"}, "--alerts and --metrics-file both write"},
		{"metrics over a pipe", []string{"--alerts", "@old", "--metrics-file", "@fifo"}, "is a pipe"},
		{"metrics over a link", []string{"--alerts", "@old", "--metrics-file", "@link-old"}, "both write"},
		{"metrics over a link alone", []string{"--alerts", "@new", "--metrics-file", "@link-old"}, "is a symbolic link"},
		{"metrics over a folder", []string{"--alerts", "@old", "--metrics-file", "@."}, "is a folder"},
		{"metrics into no folder", []string{"--alerts", "@old", "--metrics-file", "@no/m"}, "no/m: no such file or directory"},
		{"the last of the files cannot be opened", []string{"--sessions", "@old", "--devices", "@new", "--alerts", "@no/a"}, "no/a: no such file or directory"},
		{"bad capture", []string{"--alerts", "@old", "--sessions", "@new", "@inv.yaml"}, "not a capture in the format"},
	}
	before := d.state()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"replay", "--log-level", "error"}
			for _, a := range c.args {
				if name, ok := strings.CutPrefix(a, "@"); ok {
					a = filepath.Clean(d.at(name))
				}
				args = append(args, a)
			}
			r := run1(t, append(args, d.at("c.pcap"))...)
			if r.status != exitUsage || r.out != "" || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, c.want) {
				t.Errorf("exit status %d, want one line with %q:\n%s%s", r.status, c.want, r.out, r.err)
			}
			if after := d.state(); after != before {
				t.Errorf("something changed: %s", difference(after, before))
			}
		})
	}
}

func TestStandardStreamsAreComparedToo(t *testing.T) {
	d := newDesk(t)
	before := d.state()
	t.Run("output at the end of the capture", func(t *testing.T) {
		out, err := os.OpenFile(d.at("c.pcap"), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd := sensor(t, "replay", d.at("c.pcap"))
		cmd.Stdout = out
		if r := finish(t, cmd); r.status != exitUsage || !strings.Contains(r.err, "--alerts would overwrite the capture") {
			t.Errorf("exit status %d: %s", r.status, r.err)
		}
	})
	t.Run("input is the output", func(t *testing.T) {
		in, err := os.Open(d.at("c.pcap"))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		cmd := sensor(t, "replay", "--alerts", d.at("c.pcap"), "-")
		cmd.Stdin = in
		if r := finish(t, cmd); r.status != exitUsage || !strings.Contains(r.err, "--alerts would overwrite the capture on standard input") {
			t.Errorf("exit status %d: %s", r.status, r.err)
		}
	})
	if after := d.state(); after != before {
		t.Errorf("something changed: %s", difference(after, before))
	}
}

func TestNullDeviceTakesEverything(t *testing.T) {
	d := newDesk(t)
	if err := os.Symlink(os.DevNull, d.at("null")); err != nil { // under another name, so that a fault harms nobody
		t.Fatal(err)
	}
	null := d.at("null")
	r := run1(t, "replay", "--alerts", null, "--sessions", null, "--devices", null, "--metrics-file", null, d.at("c.pcap"))
	if r.status != exitOK || r.out != "" {
		t.Errorf("exit status %d: %s%s", r.status, r.out, r.err)
	}
	if to, err := os.Readlink(null); err != nil || to != os.DevNull {
		t.Errorf("it is %q, %v", to, err)
	}
}

func TestMetricsOnStandardOutput(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"-", "/dev/stdout"} {
		r := run1(t, "replay", "--alerts", os.DevNull, "--metrics-file", name, d.at("c.pcap"))
		if r.status != exitOK || !strings.Contains(r.out, "stillwatch_sensor_captures_total 1\n") {
			t.Errorf("%s: exit status %d: %.300s%s", name, r.status, r.out, r.err)
		}
	}
}

// summaryOf returns the log line at the end of a replay.
func summaryOf(t *testing.T, text string) map[string]any {
	t.Helper()
	for line := range strings.Lines(text) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && m["msg"] == "replay finished" {
			return m
		}
	}
	t.Fatalf("no summary in\n%s", text)
	return nil
}

func TestSummaryTimesHaveTheirZone(t *testing.T) {
	s := summaryOf(t, run1(t, "replay", write(t, sample(t), "a.pcap")).err)
	for _, key := range []string{"first", "last"} {
		var at schemas.Time
		if text, _ := s[key].(string); !strings.HasPrefix(text, "2026-03-02T") || at.UnmarshalJSON([]byte(`"`+text+`"`)) != nil {
			t.Errorf("%s is %v", key, s[key])
		}
	}
}

func TestCaptureWithoutPacketsHasNoTime(t *testing.T) {
	whole := read(t, write(t, sample(t), "a.pcap"))
	path := filepath.Join(t.TempDir(), "empty.pcap")
	if err := os.WriteFile(path, []byte(whole[:24]), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run1(t, "replay", path)
	s := summaryOf(t, r.err)
	if r.status != exitOK || s["packets"] != 0.0 || s["first"] != nil || s["last"] != nil {
		t.Errorf("exit status %d: %v", r.status, s)
	}
}

// TestAlertsCountOnceTheyAreWritten writes to a full disk: nothing is written, and nothing is counted.
func TestAlertsCountOnceTheyAreWritten(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		testneed.Missing(t, "dev-full", "no /dev/full here")
	}
	metrics := filepath.Join(t.TempDir(), "metrics")
	r := run1(t, "replay", "--silent", "10.20.10.17", "--alerts", "/dev/full", "--metrics-file", metrics, write(t, sample(t), "a.pcap"))
	want := program + ": cannot write /dev/full: no space left on device; no record was written\n"
	if r.status != exitIncomplete || !strings.HasSuffix(r.err, want) || strings.Count(r.err, "cannot write") != 1 {
		t.Errorf("exit status %d: %s\nwant %s", r.status, r.err, want)
	}
	for severity, n := range summaryOf(t, r.err)["alerts"].(map[string]any) {
		if n != 0.0 {
			t.Errorf("%v %s alerts are counted, and none is written", n, severity)
		}
	}
	if text := read(t, metrics); strings.Contains(text, "alert_records_total{") {
		t.Errorf("alert records are counted, and none is written:\n%s", text)
	}
}

// TestFullDiskIsOneStatus checks that every command has the same message and status when its output cannot be written.
func TestFullDiskIsOneStatus(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		testneed.Missing(t, "dev-full", "no /dev/full here")
	}
	d := newDesk(t)
	for _, args := range [][]string{
		{"--help"}, {"replay", "--help"}, {"version"}, {"completion", "bash"}, {"completion", "zsh"}, {"completion", "fish"},
		{"config", "check", "--inventory", d.at("inv.yaml")}, {"devices", d.at("c.pcap")}, {"devices", "--json", d.at("c.pcap")},
		{"devices", "--explain", "10.20.10.17", d.at("c.pcap")}, {"replay", "--log-level", "error", "--silent", "10.20.10.17", d.at("c.pcap")},
		{"replay", "--log-level", "error", "--alerts", os.DevNull, "--metrics-file", "-", d.at("c.pcap")},
	} {
		t.Run(strings.Join(args[:min(len(args), 2)], " "), func(t *testing.T) {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer full.Close()
			cmd := sensor(t, args...)
			cmd.Stdout = full
			r := finish(t, cmd)
			if r.status != exitIncomplete || strings.Count(r.err, "\n") != 1 || !strings.HasPrefix(r.err, program+": cannot write standard output: no space left on device") {
				t.Errorf("exit status %d: %s", r.status, r.err)
			}
		})
	}
}
