// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// records splits JSON Lines and checks each line against its schema.
func records(t *testing.T, kind schemas.Kind, text string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		if err := schemas.Validate(kind, []byte(line)); err != nil {
			t.Errorf("%v\n%s", err, line)
		}
		if !schemas.ValidFast(kind, []byte(strings.TrimSuffix(line, "\n"))) {
			t.Errorf("the fast path of the collector does not accept %s", line)
		}
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// put writes a file with a text and returns its path.
func put(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReplayToAPipe(t *testing.T) {
	r := run1(t, "replay", "--silent", "10.20.10.17", write(t, sample(t), "a.pcap"))
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	alerts := records(t, schemas.KindAlert, r.out)
	if len(alerts) == 0 {
		t.Fatal("a server that should be silent opened a session, and there is no alert")
	}
	for i, a := range alerts {
		sensor, when := a["sensor"].(map[string]any), a["time"].(map[string]any)
		if int(sensor["seq"].(float64)) != i+1 || sensor["boot_id"] == "" || when["replay"] != true || when["emitted_at"] == nil {
			t.Errorf("alert %d is stamped %v, %v", i, sensor, when)
		}
	}
	var summary map[string]any
	if err := json.Unmarshal([]byte(r.err), &summary); err != nil || summary["msg"] != "replay finished" || summary["spoke"] != 1.0 {
		t.Errorf("standard error is not one log line with the summary (%v):\n%s", err, r.err)
	}
}

func TestReplayToFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	r := run1(t, "replay", "--silent", "10.20.10.17", "--alerts", at("alerts"), "--sessions", at("sessions"), "--devices", at("devices"),
		"--metrics-file", at("metrics"), write(t, sample(t), "a.pcap"))
	if r.status != exitOK || r.out != "" {
		t.Fatalf("exit status %d, standard output %q: %s", r.status, r.out, r.err)
	}
	sessions := records(t, schemas.KindSession, read(t, at("sessions")))
	if len(sessions) != 2 {
		t.Errorf("%d sessions, want 2", len(sessions))
	}
	if n := len(records(t, schemas.KindDevice, read(t, at("devices")))); n < 2 {
		t.Errorf("%d devices, want at least 2", n)
	}
	if len(records(t, schemas.KindAlert, read(t, at("alerts")))) == 0 {
		t.Error("no alert")
	}
	for _, want := range []string{"stillwatch_sensor_sessions_total 2\n", "stillwatch_sensor_captures_total 1\n", "stillwatch_sensor_devices_spoke 1\n",
		`stillwatch_sensor_verdict_total{verdict="ok"}`, `rule="D01"`} {
		if !strings.Contains(read(t, at("metrics")), want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 4 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestStandardInput(t *testing.T) {
	path := write(t, sample(t), "a.pcap")
	cmd := sensor(t, "replay", "--silent", "10.20.10.17", "-")
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd.Stdin = in
	got := finish(t, cmd)
	want := run1(t, "replay", "--silent", "10.20.10.17", path)
	if got.status != exitOK || unstamped(got.out) != unstamped(want.out) {
		t.Errorf("exit status %d; from standard input:\n%s\nfrom the file:\n%s", got.status, got.out, want.out)
	}
}

func TestDamagedCapture(t *testing.T) {
	whole := write(t, sample(t), "cut.pcap")
	text := read(t, whole)
	if err := os.WriteFile(whole, []byte(text[:len(text)-20]), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run1(t, "replay", "--silent", "10.20.10.17", "--alerts", os.DevNull, "--sessions", "-", whole)
	if r.status != exitIncomplete {
		t.Errorf("exit status %d, want %d", r.status, exitIncomplete)
	}
	frames := len(sample(t).Frames())
	for _, want := range []string{program + ": ", "cut.pcap", fmt.Sprintf("packet %d", frames)} {
		if !strings.Contains(r.err, want) {
			t.Errorf("%q is not in: %s", want, r.err)
		}
	}
	if n := len(records(t, schemas.KindSession, r.out)); n != 2 {
		t.Errorf("%d sessions of what was readable, want 2", n)
	}
}

func TestDamageEndsOneCaptureOnly(t *testing.T) {
	n := sample(t)
	whole := write(t, n, "b.pcap")
	broken := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(broken, []byte(read(t, whole)[:24+16+10]), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run1(t, "replay", "--alerts", os.DevNull, "--sessions", "-", broken, whole)
	if r.status != exitIncomplete || !strings.Contains(r.err, "a.pcap") || len(records(t, schemas.KindSession, r.out)) != 2 {
		t.Errorf("exit status %d, %d lines: %s", r.status, strings.Count(r.out, "\n"), r.err)
	}
}

func TestFullDiskEndsTheRun(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		testneed.Missing(t, "dev-full", "no /dev/full here")
	}
	r := run1(t, "replay", "--alerts", os.DevNull, "--sessions", "/dev/full", write(t, sample(t), "a.pcap"))
	if r.status != exitIncomplete || !strings.Contains(r.err, "cannot write /dev/full: no space left on device") {
		t.Errorf("exit status %d: %s", r.status, r.err)
	}
	if n := strings.Count(r.err, "no space left"); n != 1 {
		t.Errorf("reported %d times: %s", n, r.err)
	}
}

func TestReaderGoesAway(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	defer w.Close()
	devices := filepath.Join(t.TempDir(), "devices")
	cmd := sensor(t, "replay", "--silent", "10.20.10.17", "--devices", devices, write(t, sample(t), "a.pcap"))
	cmd.Stdout = w
	got := finish(t, cmd)
	if got.status != exitSignal+int(syscall.SIGPIPE) || strings.Contains(got.err, "broken pipe") {
		t.Errorf("exit status %d: %s", got.status, got.err)
	}
	records(t, schemas.KindDevice, read(t, devices)) // whole lines, however many
}

// interrupted runs the sensor on the sample in a pipe that stays open, and sends the signal after the first alert.
func interrupted(t *testing.T, signal syscall.Signal, args ...string) ran {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "live")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		testneed.Missing(t, "fifo", "no FIFO here: %v", err)
	}
	cmd := sensor(t, append(args, fifo)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if _, err := sample(t).WriteTo(in); err != nil {
		t.Fatal(err)
	}
	alerts := bufio.NewReader(out)
	first, err := alerts.ReadString('\n') // a pipe gets each alert at once
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(alerts)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return ran{cmd.ProcessState.ExitCode(), first + string(rest), errs.String()}
}

// TestInterrupt ends a replay of a capture that never ends.
func TestInterrupt(t *testing.T) {
	for _, s := range []struct {
		signal syscall.Signal
		status int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}} {
		t.Run(s.signal.String(), func(t *testing.T) {
			sessions := filepath.Join(t.TempDir(), "sessions")
			got := interrupted(t, s.signal, "replay", "--silent", "10.20.10.17", "--sessions", sessions)
			if got.status != s.status {
				t.Errorf("exit status %d, want %d: %s", got.status, s.status, got.err)
			}
			records(t, schemas.KindAlert, got.out)
			if n := len(records(t, schemas.KindSession, read(t, sessions))); n == 0 {
				t.Error("no session of the packets up to then")
			}
		})
	}
}

// TestInterruptBeforeTheFirstBytes ends a replay that waits for data from a pipe.
func TestInterruptBeforeTheFirstBytes(t *testing.T) {
	dir := t.TempDir()
	fifo, old := filepath.Join(dir, "live"), filepath.Join(dir, "old")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		testneed.Missing(t, "fifo", "no FIFO here: %v", err)
	}
	if err := os.WriteFile(old, []byte("what was there\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"replay":  {"replay", "--alerts", old, "--sessions", filepath.Join(dir, "new"), fifo},
		"devices": {"devices", fifo},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := sensor(t, args...)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			in, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits until the program has opened it; nothing is written
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			want := program + ": ended by interrupt; no packet was read, and nothing was written\n"
			if got := cmd.ProcessState.ExitCode(); got != exitSignal+int(syscall.SIGINT) || errs.String() != want {
				t.Errorf("exit status %d: %s", got, errs.String())
			}
		})
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 || read(t, old) != "what was there\n" {
		t.Errorf("left: %v, %v", left, err)
	}
}

// unstamped removes from alerts the fields that differ from run to run.
func unstamped(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(emitted.ReplaceAllString(line, ""))
	}
	return b.String()
}
