// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

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

// faulty replays a capture in this process with a fault in what takes the devices, which come last, and gives the file of sessions and the
// error.
func faulty(t *testing.T) (sessions string, err error) {
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
	out, err := openOutputs(namesOf(c.Alerts, c.Sessions, c.Devices, c.MetricsFile), c.inputs(cfg), terminal.NewIncidentCards(term, term.Out))
	if err != nil {
		t.Fatal(err)
	}
	out.Device = func(*schemas.Device) error { panic("a fault") }
	s := watchSignals(t.Context())
	defer signal.Reset(syscall.SIGPIPE) // what the tests start would inherit that it is ignored
	defer s.stop()
	return sessions, c.replay(term, zap.NewNop(), cfg, src, out, namesOf(c.Alerts, c.Sessions, c.Devices, c.MetricsFile), s)
}

func TestFaultOfTheProgram(t *testing.T) {
	t.Setenv("GOGC", "100") // the collector of the tests stays as it is
	for _, c := range []struct {
		trace, line string
		stack       bool
	}{
		{"", "internal error in the correlator: a fault; please report it with the capture; set STILLWATCH_TRACE=1 to see the stack", false},
		{"1", "internal error in the correlator: a fault; please report it with the capture", true},
	} {
		t.Run("trace "+c.trace, func(t *testing.T) {
			t.Setenv(traceVariable, c.trace)
			sessions, err := faulty(t)
			var e *exitError
			if !errors.As(err, &e) || e.status != exitBug {
				t.Fatalf("gave %v", err)
			}
			if got := lines(e.err); len(got) != 1 || got[0] != c.line {
				t.Errorf("says %q, want %q", got, c.line)
			}
			if got := strings.Contains(string(e.stack), "faulty"); got != c.stack || len(e.stack) > 0 != c.stack {
				t.Errorf("the stack is\n%s", e.stack)
			}
			written, err := os.ReadFile(sessions)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(written), "\n"); n != 1 {
				t.Errorf("%d sessions of what was found until then, want 1", n)
			}
		})
	}
}
