// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"

	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
)

// faulty replays a capture in this process with a fault in what takes the devices, which come last, and gives the file of sessions and the
// error.
func faulty(t *testing.T) (sessions string, err error) {
	t.Helper()
	path := write(t, sample(t), "a.pcap")
	sessions = filepath.Join(t.TempDir(), "sessions")
	c := &replayCmd{captures: captures{Captures: []string{path}}, Alerts: os.DevNull, Sessions: sessions}
	cfg, err := c.load()
	if err != nil {
		t.Fatal(err)
	}
	src, err := capture.OpenFiles(c.Captures)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	term := &terminal{out: os.Stdout, err: os.Stderr}
	out, err := openOutputs(namesOf(c.Alerts, c.Sessions, c.Devices, c.MetricsFile), c.inputs(cfg), newDeck(term, term.out))
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
			if n := len(records(t, schemas.KindSession, read(t, sessions))); n != 2 {
				t.Errorf("%d sessions of what was found until then, want 2", n)
			}
		})
	}
}
