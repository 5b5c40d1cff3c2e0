// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stillwatch/collector/internal/cli"
	"stillwatch/collector/internal/store"
	"stillwatch/internal/buildinfo"
	"stillwatch/internal/testneed"
)

// asProgram is the environment variable that makes the test binary run as the collector, so that a test can kill it.
const asProgram = "STILLWATCH_TEST_AS_COLLECTOR"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(cli.Main(os.Args[1:], buildinfo.New("test", "")))
	}
	os.Exit(runTests(m))
}

// command is a run of the collector in the test binary: under the race detector, if the tests are.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// builtCollector builds the collector once, as a release is.
var builtCollector = sync.OnceValues(func() (string, error) { return testneed.Program(programs, "collector") })

// process is a running collector.
type process struct {
	*exec.Cmd
	t               *testing.T
	console, health string
	mu              sync.Mutex
	log             strings.Builder
	done            chan struct{}
}

// start starts the collector with "serve" and waits until it serves.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return serving(t, command(append([]string{"serve"}, args...)...))
}

// serving starts a collector and waits until it serves.
func serving(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &process{Cmd: cmd, t: t, done: make(chan struct{})}
	pipe, err := p.StderrPipe()
	if err == nil {
		err = p.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go p.read(pipe, ready)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of the collector:\n%s", p.output())
		}
	})
	select {
	case <-ready:
	case <-p.done:
		t.Fatalf("the collector exited:\n%s", p.output())
	case <-time.After(3 * time.Minute):
		t.Fatal("the collector did not start within three minutes")
	}
	return p
}

func (p *process) read(pipe io.Reader, ready chan struct{}) {
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		p.mu.Lock()
		if p.log.Len() < 1<<16 {
			p.log.WriteString(lines.Text() + "\n")
		}
		p.mu.Unlock()
		var line struct{ Msg, Console, Health string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "collector started" {
			p.console, p.health = line.Console, line.Health
			close(ready)
		}
	}
	p.Wait()
	close(p.done)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

func (p *process) kill() {
	p.Process.Kill()
	<-p.done
}

// stop stops the collector with SIGTERM and fails the test if the exit status is not 0.
func (p *process) stop() {
	p.t.Helper()
	p.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(3 * time.Minute):
		p.t.Fatal("the collector does not stop")
	}
	if code := p.ProcessState.ExitCode(); code != 0 {
		p.t.Fatalf("exit status %d:\n%s", code, p.output())
	}
}

// ready returns the status and body of /readyz.
func (p *process) ready() (int, string) {
	res, err := http.Get(p.health + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// metric returns the value of a metric without labels, or of the line that starts with name. The metric must exist.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	v, ok := p.findMetric(name)
	if !ok {
		p.t.Fatalf("no metric %s", name)
	}
	return v
}

// findMetric is like metric, but returns false if there is no such metric.
func (p *process) findMetric(name string) (float64, bool) {
	p.t.Helper()
	res, err := http.Get(p.health + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindSubmatch(body)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return v, true
}

// until waits for cond for up to five minutes.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("timeout waiting for: %s", what)
		}
	}
}

// openStore opens the database of a running collector.
func openStore(t *testing.T, path string) *store.SQLite {
	t.Helper()
	s, err := store.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func count(t *testing.T, s *store.SQLite) int {
	t.Helper()
	n, err := s.CountAlerts(context.Background(), store.AlertFilter{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// configure writes a configuration for brokers and returns the paths of the configuration and the database.
func configure(t *testing.T, dir, brokers string) (file, database string) {
	t.Helper()
	file, database = filepath.Join(t.TempDir(), "collector.yaml"), filepath.Join(dir, "collector.db")
	text := fmt.Sprintf("listen: 127.0.0.1:0\nhealth: 127.0.0.1:0\ndatabase: %s\nkafka:\n  brokers: [%s]\n", database, brokers)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, database
}
