// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/terminal"
)

// captureFile writes a capture with one session.
func captureFile(t *testing.T) string {
	t.Helper()
	n := netsim.New(1)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	server, client := n.Host("server", "10.20.10.17", "b8:ca:3a:00:00:17", netsim.Linux), n.Host("client", "10.20.1.9", "b8:ca:3a:00:00:09", netsim.Linux)
	n.Dial(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), client, server, 80).HTTP(netsim.Request{Method: "GET", URI: "/"}, netsim.Response{Status: 200}).Close()
	var b bytes.Buffer
	if _, err := n.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// replayWithPanic replays a capture in this process, with an output for devices, which come last, that panics. It returns the file of the
// sessions and the error.
func replayWithPanic(t *testing.T) (sessions string, err error) {
	t.Helper()
	path := captureFile(t)
	sessions = filepath.Join(t.TempDir(), "sessions")
	c := &replayCmd{captures: captures{Captures: []string{path}}, Alerts: os.DevNull, Sessions: sessions}
	cfg, err := c.load("test")
	if err != nil {
		t.Fatal(err)
	}
	src, err := capture.OpenFiles(c.Captures)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	term := &terminal.Terminal{Out: os.Stdout, Err: os.Stderr}
	out, err := openOutputs(namesOf(c.Alerts, c.Incidents, c.Sessions, c.Devices, c.MetricsFile), c.inputs(cfg), terminal.NewIncidentCards(term, term.Out))
	if err != nil {
		t.Fatal(err)
	}
	out.Device = func(*schemas.Device) error { panic("a fault") }
	s := watchSignals(t.Context())
	defer signal.Reset(syscall.SIGPIPE) // processes that tests start would inherit that it is ignored
	defer s.stop()
	return sessions, c.replay(term, zap.NewNop(), cfg, src, out, namesOf(c.Alerts, c.Incidents, c.Sessions, c.Devices, c.MetricsFile), s, nil)
}

func TestInternalErrorIsOneLine(t *testing.T) {
	t.Setenv("GOGC", "100") // gctune must not change the GOGC of the tests
	stack := filepath.Join(t.TempDir(), "stack")
	missing := filepath.Join(t.TempDir(), "none", "stack")
	const bug = "internal error in the correlator: a fault; please report it with the capture; "
	for _, c := range []struct{ name, file, line string }{
		{"no file", "", bug + "set STILLWATCH_TRACE=FILE to write the stack to a file"},
		{"file", stack, bug + "the stack is in " + stack},
		{"file that cannot be written", missing, bug + "the stack is lost: open " + missing + ": no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(stackVariable, c.file)
			sessions, err := replayWithPanic(t)
			var e *exitError
			if !errors.As(err, &e) || e.status != exitBug {
				t.Fatalf("error %v", err)
			}
			if got := lines(e.err); len(got) != 1 || got[0] != c.line {
				t.Errorf("error %q, want %q", got, c.line)
			}
			if n := strings.Count(contents(t, sessions), "\n"); n != 1 {
				t.Errorf("%d sessions were written before the panic, want 1", n)
			}
		})
	}
	if !strings.Contains(contents(t, stack), "replayWithPanic") {
		t.Error("the file does not have the stack")
	}
}

func contents(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHTTPPanicsAreLoggedWithoutTheirStack(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	if _, err := io.WriteString(firstLine{zap.New(core)}, "http: panic serving 127.0.0.1:1: a fault\ngoroutine 7 [running]:\n"); err != nil {
		t.Fatal(err)
	}
	if all := logs.All(); len(all) != 1 || all[0].Message != "http: panic serving 127.0.0.1:1: a fault" {
		t.Errorf("logged %v", all)
	}
}

// TestPanicOfTheMonitorEndsOnlyItsPart has a part of the monitor panic: that is one line in the log, and the run continues.
func TestPanicOfTheMonitorEndsOnlyItsPart(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	mon := &monitor{log: zap.New(core)}
	mon.withRecovery("watch over the port", func() { panic("a fault") })
	all := logs.All()
	if len(all) != 1 || all[0].ContextMap()["error"] != "internal error in the watch over the port: a fault; please report it" {
		t.Errorf("logged %v", all)
	}
}
