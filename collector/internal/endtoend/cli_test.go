// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs the collector and returns its exit status, standard output and standard error.
func run(t *testing.T, stdin string, args ...string) (int, string, string) {
	t.Helper()
	cmd := command(args...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	good, bad, db := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml"), filepath.Join(dir, "c.db")
	for name, text := range map[string]string{good: "kafka: {brokers: ['127.0.0.1:1']}\n", bad: "kafka: {brokers: ['127.0.0.1:1']}\nno\x1b[2J: 1\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, stdin string
		args        []string
		status      int
		out, err    string // substrings of the output
	}{
		{"no command", "", nil, 2, "", "expected one of"},
		{"help", "", []string{"--help"}, 0, "topics check", ""},
		{"version", "", []string{"version"}, 0, "stillwatch-collector", ""},
		{"good configuration", "", []string{"config", "check", good}, 0, "no errors found", ""},
		{"bad configuration", "", []string{"config", "check", bad}, 2, "", "bad.yaml:2:"},
		{"no configuration", "", []string{"config", "check", filepath.Join(dir, "none")}, 2, "", "no such file"},
		{"configuration and flags", "", []string{"serve", "--config", good, "--brokers", "x:1"}, 2, "", "--config cannot be combined"},
		{"serve without brokers", "", []string{"serve", "--database", db}, 2, "", "no Kafka brokers"},
		{"serve on all interfaces without TLS", "", []string{"serve", "--brokers", "x:1", "--listen", "0.0.0.0:1"}, 2, "", "tls.cert"},
		{"demo on all interfaces", "", []string{"demo", "--listen", "0.0.0.0:1"}, 2, "", "loopback"},
		{"no broker", "", []string{"topics", "check", "--config", good}, 1, "", "connection refused"},
		{"user without a database", "x\n", []string{"user", "add", "anna"}, 2, "", "--config or --database"},
		{"database in a missing folder", "x\n", []string{"user", "add", "anna", "--database", filepath.Join(dir, "none", "c.db")}, 2, "", "folder"},
		{"short password", "x\n", []string{"user", "add", "anna", "--database", db}, 2, "", "password"},
		{"user", "correct horse battery staple\n", []string{"user", "add", "anna", "--role", "admin", "--database", db}, 0, "added user anna with role admin", ""},
		{"user again", "correct horse battery staple\n", []string{"user", "add", "ANNA", "--database", db}, 2, "", "already exists"},
		{"new password", "another horse battery staple\n", []string{"user", "password", "anna", "--database", db}, 0, "", ""},
		{"password of an unknown user", "another horse battery staple\n", []string{"user", "password", "bert", "--database", db}, 2, "", "not found"},
		{"wrong role", "", []string{"token", "add", "siem", "--role", "king", "--database", db}, 2, "", "must be one of"},
		{"token", "", []string{"token", "add", "siem", "--database", db}, 0, "swt_", ""},
	} {
		status, out, errs := run(t, c.stdin, c.args...)
		if status != c.status || !strings.Contains(out, c.out) || !strings.Contains(errs, c.err) || c.err == "" && errs != "" || strings.Contains(errs, "\x1b") {
			t.Errorf("%s: status %d, want %d\n%s%s", c.name, status, c.status, out, errs)
		}
	}
}

func TestServeWithoutKafka(t *testing.T) {
	dir := t.TempDir()
	file, db := configure(t, dir, "127.0.0.1:1")
	p := start(t, "--config", file)
	until(t, "/readyz reports that Kafka is not reachable", func() bool {
		code, why := p.ready()
		return code == http.StatusServiceUnavailable && strings.Contains(why, "Kafka") && strings.Contains(why, "connection refused")
	})
	if p.metric("stillwatch_collector_ready") != 0 {
		t.Error("stillwatch_collector_ready is not 0")
	}
	_, token, _ := run(t, "", "token", "add", "siem", "--database", db)
	for _, c := range []struct {
		path, token string
		status      int
	}{{"/healthz", "", 200}, {"/readyz", "", 303}, {"/metrics", "", 303}, {"/api/v1/alerts", "", 401}, {"/api/v1/alerts", strings.TrimSpace(token), 200}} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.console+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s: %d, want %d", c.path, res.StatusCode, c.status)
		}
	}
	p.stop()
}
