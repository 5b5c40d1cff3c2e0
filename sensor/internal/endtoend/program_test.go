// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testneed"
)

const program = "stillwatch-sensor"

// The exit statuses, as docs/replay.md has them.
const (
	exitOK         = 0
	exitIncomplete = 1
	exitUsage      = 2
	exitSignal     = 128 // plus the number of the signal
)

// programDir is where builtProgram puts the program. TestMain creates and removes it.
var programDir string

// builtProgram builds the program once for all tests.
var builtProgram = sync.OnceValues(func() (string, error) { return testneed.Program(programDir, "sensor") })

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "stillwatch-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programDir = dir
	if err := os.Chmod(dir, 0o755); err != nil { // tests run it as other users, too
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// sensor prepares a run of the program; it is killed after some minutes, so that no test hangs.
func sensor(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return sensorFor(t, 5*time.Minute, args...)
}

// sensorFor is sensor for a run that may last so long before it is killed.
func sensorFor(t *testing.T, limit time.Duration, args ...string) *exec.Cmd {
	t.Helper()
	path, err := builtProgram()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "NO_COLOR=", "TERM=xterm")
	return cmd
}

// ran is a finished run.
type ran struct {
	status   int
	out, err string
}

func run1(t *testing.T, args ...string) ran {
	t.Helper()
	return finish(t, sensor(t, args...))
}

func finish(t *testing.T, cmd *exec.Cmd) ran {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &errs
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// began is when the captures of these tests start.
func began() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }

// sample is a small network: a server that should be silent answers a poll, and later opens a session to the outside.
func sample(t *testing.T) *netsim.Net {
	t.Helper()
	return sampleFrom(began())
}

func sampleFrom(begin time.Time) *netsim.Net {
	n := netsim.New(1)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	srv := n.Host("srv-legacy-07", "10.20.10.17", "b8:ca:3a:00:00:17", netsim.Linux)
	monitor := n.Host("monitor", "10.20.1.9", "b8:ca:3a:00:00:09", netsim.Linux)
	far := n.External("198.51.100.23", netsim.Linux, 40*time.Millisecond)
	at := n.ARP(begin, monitor, srv)
	at = n.Dial(at, monitor, srv, 80).HTTP(netsim.Request{Method: "GET", URI: "/"}, netsim.Response{Status: 200}).Close()
	c := n.DialTLS(at.Add(time.Minute), srv, far, 443, netsim.TLSClient{SNI: "c2.example.net"}, netsim.TLSServer{})
	c.Records(netsim.Client, 5000)
	c.Close()
	return n
}

// write writes a capture to a file in a temporary folder.
func write(t *testing.T, n *netsim.Net, name string) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := n.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
