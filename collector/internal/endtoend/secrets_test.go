// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stillwatch/internal/testlab/planted"
)

// TestNoSecretInTheCollector sends secrets past a sensor in every known way, delivers all records of the sensor to a collector, and looks for
// the secrets in what the collector stores, logs, answers and shows.
func TestNoSecretInTheCollector(t *testing.T) {
	p := planted.New()
	dir, port := t.TempDir(), freePort(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	text := fmt.Sprintf("listen: 127.0.0.1:0\nhealth: 127.0.0.1:0\ndatabase: collector.db\nembedded_broker: {dir: broker, port: %d}\n", port)
	if err := os.WriteFile(at("collector.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := start(t, "--config", at("collector.yaml"))
	s := openStore(t, at("collector.db"))
	until(t, "the collector is ready", func() bool { code, _ := c.ready(); return code == 200 })
	sensed := replaySecrets(t, p, dir, port)
	until(t, "all alerts are stored", func() bool { return count(t, s) >= sensed })

	token, err := command("token", "add", "test", "--role", "admin", "--config", at("collector.yaml")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range evidenceFiles(t, at("evidence")) {
		where := "/api/v1/evidence/" + strings.TrimSuffix(name, ".pcapng")
		until(t, "the packets are stored", func() bool {
			_, err := s.Evidence(t.Context(), strings.TrimSuffix(name, ".pcapng"))
			return err == nil
		})
		if got := c.call(t, where, strings.TrimSpace(string(token))); got != data {
			t.Errorf("%s has %d bytes, and the file of the sensor %d", where, len(got), len(data))
		}
	}
	paths := []string{"/alerts?limit=1000", "/devices?limit=1000", "/sensors", "/dead-letters", "/incidents?limit=1000", "/overview", "/audit"}
	seen := map[string]string{}
	for i := 0; i < len(paths); i++ {
		answer := c.call(t, "/api/v1"+paths[i], strings.TrimSpace(string(token)))
		seen["the answer to "+paths[i]] = answer
		if i == 0 {
			ids := regexp.MustCompile(`"id":\s*"([a-z2-7]{26})"`).FindAllStringSubmatch(answer, -1)
			if len(ids) < sensed {
				t.Errorf("%d alerts in %s", len(ids), answer)
			}
			for _, id := range ids {
				paths = append(paths, "/alerts/"+id[1], "/alerts/"+id[1]+"/revisions")
			}
		}
	}
	seen["the metrics"] = c.text(t, c.health+"/metrics")
	c.stop()
	seen["the log"] = c.output()
	files := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == at("secrets.pcap") {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		seen[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("%d files were searched: %v", files, err)
	}
	for where, text := range seen {
		for _, use := range p.Found([]byte(text)) {
			t.Errorf("in %s: %s", where, use)
		}
	}
	if !strings.Contains(seen["the answer to /alerts?limit=1000"], planted.DeviceAddr) {
		t.Error("the answers are not about the device with the secrets")
	}
}

// replaySecrets replays the capture, with all kinds of records, to the broker of the collector. It returns the number of alerts.
func replaySecrets(t *testing.T, p *planted.Secrets, dir string, port int) int {
	t.Helper()
	path, err := sensorPath()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "secrets.pcap")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	n, _, _ := planted.Capture(p)
	if _, err := n.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	publish := filepath.Join(dir, "publish.yaml")
	if err := os.WriteFile(publish, fmt.Appendf(nil, "version: 1\npublish: {kafka: {brokers: [\"127.0.0.1:%d\"], sessions: true}}\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "replay", "--silent", planted.DeviceMAC, "--alerts", "-", "--evidence", filepath.Join(dir, "evidence"), "--publish-config", publish, "--spool", filepath.Join(dir, "spool"), "--kafka-patience", "2m", name)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("sensor: %v\n%s", err, errs.String())
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\{"schema":"stillwatch.alert/1","id":"([a-z2-7]+)"`).FindAllSubmatch(out, -1) {
		ids[string(m[1])] = true
	}
	if len(ids) < 3 {
		t.Fatalf("%d alerts: %s", len(ids), out)
	}
	return len(ids)
}

// evidenceFiles returns the files with packets that the sensor wrote, by name.
func evidenceFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.pcapng"))
	if err != nil || len(names) < 3 {
		t.Fatalf("%d files with packets: %v", len(names), err)
	}
	files := map[string]string{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(b)
	}
	return files
}

// call returns the answer of the API to a GET request.
func (p *process) call(t *testing.T, path, token string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, p.console+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return body(t, req)
}

func (p *process) text(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return body(t, req)
}

func body(t *testing.T, req *http.Request) string {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", req.URL, res.StatusCode, err, b)
	}
	return string(b)
}
