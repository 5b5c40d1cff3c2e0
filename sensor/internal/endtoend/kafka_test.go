// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// TestReplayToKafka publishes a replay and reads the topics with kcat, as docs/kafka.md shows.
func TestReplayToKafka(t *testing.T) {
	c := kafkatest.Start(t, cluster.Options{})
	kafkatest.Topic(t, c, schemas.AlertTopic, 3, nil)
	kafkatest.Topic(t, c, schemas.IncidentTopic, 3, map[string]string{"cleanup.policy": "compact"})
	kafkatest.Topic(t, c, schemas.DeviceTopic, 3, map[string]string{"cleanup.policy": "compact"})
	kafkatest.Topic(t, c, schemas.EvidenceTopic, 3, nil)
	kafkatest.Topic(t, c, schemas.SessionTopic, 3, nil)
	capture, dir := write(t, sample(t), "a.pcap"), t.TempDir()
	t.Run("plain", func(t *testing.T) { replayPlain(t, c, capture, dir) })
	t.Run("signed in", func(t *testing.T) { replaySignedIn(t, c, capture, dir) })
	t.Run("broker away", func(t *testing.T) { replayLater(t, c, capture, dir) })
}

func replayPlain(t *testing.T, c *cluster.Cluster, capture, dir string) {
	brokers, files := c.Brokers(cluster.Plaintext), filepath.Join(dir, "alerts.jsonl")
	r := run1(t, "replay", "--silent", "10.20.10.17", "--kafka", brokers, "--spool", filepath.Join(dir, "spool"), "--alerts", files,
		"--metrics-file", filepath.Join(dir, "metrics"), capture)
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	want := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(read(t, files)), "\n") {
		want[line] = true
	}
	out := kcat(t, brokers, schemas.AlertTopic)
	if len(out) != len(want) || len(out) == 0 {
		t.Fatalf("kcat reads %d alerts, the file has %d", len(out), len(want))
	}
	for _, m := range out {
		if !want[m.value] {
			t.Errorf("the topic has a record that the file does not have: %s", m.value)
		}
		checkEnvelope(t, m)
	}
	signedIn := kcat(t, c.Brokers(cluster.SASLPlaintext), schemas.AlertTopic, "-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanisms=PLAIN",
		"-X", "sasl.username=analyst", "-X", "sasl.password="+cluster.Password("analyst"))
	if len(signedIn) != len(out) {
		t.Errorf("kcat that signs in reads %d alerts, want %d", len(signedIn), len(out))
	}
	incidents := kcat(t, brokers, schemas.IncidentTopic)
	for _, m := range incidents {
		if err := schemas.Validate(schemas.KindIncident, []byte(m.value)); err != nil || m.headers["sw_incident"] != m.key || !strings.HasPrefix(m.headers["ce_type"], "stillwatch.incident.") {
			t.Errorf("%v: %+v", err, m)
		}
	}
	if len(incidents) == 0 {
		t.Error("no incident was sent")
	}
	for _, m := range kcat(t, brokers, schemas.DeviceTopic) {
		if err := schemas.Validate(schemas.KindDevice, []byte(m.value)); err != nil || m.headers["ce_type"] != "stillwatch.device" || m.headers["ce_subject"] != m.key {
			t.Errorf("%v: %+v", err, m)
		}
	}
	if n := len(kcat(t, brokers, schemas.SessionTopic)); n > 0 {
		t.Errorf("%d sessions were sent that nobody asked for", n)
	}
	for _, want := range []string{"stillwatch_publish_spool_records 0\n", "stillwatch_publish_up 1\n", `stillwatch_publish_produced_total{topic="stillwatch.alerts.v1"} `} {
		if !strings.Contains(read(t, filepath.Join(dir, "metrics")), want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}

// message is a line that kcat prints.
type message struct {
	key, value string
	headers    map[string]string
}

// kcat reads a topic as docs/kafka.md shows it.
func kcat(t *testing.T, brokers, topic string, more ...string) (all []message) {
	t.Helper()
	args := append([]string{"-C", "-b", brokers, "-t", topic, "-o", "beginning", "-e", "-q", "-f", `%k %h %s\n`}, more...)
	out, err := exec.Command(testneed.Command(t, "kcat"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("kcat: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		parts := regexp.MustCompile(`^(\S+) (\S+) (\{.*\})\n$`).FindStringSubmatch(line)
		if parts == nil {
			t.Fatalf("kcat prints %q", line)
		}
		m := message{key: parts[1], value: parts[3], headers: map[string]string{}}
		for _, h := range strings.Split(parts[2], ",") {
			k, v, _ := strings.Cut(h, "=")
			m.headers[k] = v
		}
		all = append(all, m)
	}
	return all
}

// checkEnvelope checks key and headers of an alert against its value.
func checkEnvelope(t *testing.T, m message) {
	t.Helper()
	if err := schemas.Validate(schemas.KindAlert, []byte(m.value)); err != nil {
		t.Error(err)
	}
	var a struct {
		ID       string
		Revision json.Number
		Action   string
		Severity string
		Device   struct{ Key string }
		Rule     struct{ Kind string }
		Time     struct {
			DetectedAt string `json:"detected_at"`
			Replay     bool
		}
		Sensor struct {
			ID, BootID string
			Seq        json.Number
		}
	}
	if err := json.Unmarshal([]byte(m.value), &a); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{
		"ce_specversion": "1.0", "ce_id": a.ID + "." + a.Revision.String(), "ce_source": "urn:stillwatch:sensor:sensor",
		"ce_type": "stillwatch.alert." + a.Action, "ce_subject": a.Device.Key, "ce_time": a.Time.DetectedAt, "ce_dataschema": "urn:stillwatch:alert:1",
		"content-type": "application/json", "sw_severity": a.Severity, "sw_kind": a.Rule.Kind, "sw_seq": a.Sensor.Seq.String(), "sw_replay": "true",
	} {
		if m.headers[k] != want {
			t.Errorf("header %s is %q, want %q", k, m.headers[k], want)
		}
	}
	if m.key != a.Device.Key || !a.Time.Replay || len(m.headers["sw_boot"]) != 32 {
		t.Errorf("key %s, replay %v, boot %q", m.key, a.Time.Replay, m.headers["sw_boot"])
	}
}

func replaySignedIn(t *testing.T, c *cluster.Cluster, capture, dir string) {
	password, conf := filepath.Join(dir, "password"), filepath.Join(dir, "sensor.yaml")
	if err := os.WriteFile(password, []byte(cluster.Password("sensor")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := "version: 1\npublish:\n  kafka:\n    brokers: [\"" + c.Brokers(cluster.SASLTLS) + "\"]\n    sessions: true\n    tls: {ca: " + c.CA() +
		"}\n    sasl: {mechanism: SCRAM-SHA-512, user: sensor, password_file: " + password + "}\n  spool: {dir: " + filepath.Join(dir, "spool") + "}\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run1(t, "replay", "--publish-config", conf, capture)
	if r.status != exitOK || r.out != "" || strings.Contains(r.err, cluster.Password("sensor")) {
		t.Fatalf("exit status %d, standard output %q: %s", r.status, r.out, r.err)
	}
	sessions := kcat(t, c.Brokers(cluster.Plaintext), schemas.SessionTopic)
	if len(sessions) != 2 {
		t.Errorf("%d sessions, want 2", len(sessions))
	}
	for _, m := range sessions {
		if err := schemas.Validate(schemas.KindSession, []byte(m.value)); err != nil || !strings.HasPrefix(m.key, "ip:10.20.") {
			t.Errorf("%v: %+v", err, m)
		}
	}
}

// replayLater replays while no broker runs, checks its health, and lets a later run deliver the spool.
func replayLater(t *testing.T, c *cluster.Cluster, capture, dir string) {
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	brokers, spool := c.Brokers(cluster.Plaintext), filepath.Join(dir, "later")
	listen := freeAddress(t)
	cmd := sensor(t, "replay", "--silent", "10.20.10.17", "--kafka", brokers, "--spool", spool, "--kafka-patience", "15s", "--listen", listen, capture)
	var told strings.Builder
	cmd.Stderr = &told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if body := eventually(t, "http://"+listen+"/readyz", http.StatusServiceUnavailable); !strings.Contains(body, "connection refused") {
		t.Errorf("/readyz says %q", body)
	}
	eventually(t, "http://"+listen+"/healthz", http.StatusOK)
	if body := eventually(t, "http://"+listen+"/metrics", http.StatusOK); !strings.Contains(body, `stillwatch_publish_errors_total{cause="unreachable"} `) {
		t.Errorf("/metrics says %.300s", body)
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != exitIncomplete || !strings.Contains(told.String(), "are not delivered and stay in the spool "+spool) ||
		!strings.Contains(told.String(), "connection refused") {
		t.Errorf("exit status %d: %s", got, told.String())
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := len(kcat(t, brokers, schemas.AlertTopic))
	if r := run1(t, "replay", "--kafka", brokers, "--spool", spool, "--log-level", "info", write(t, sample(t), "b.pcap")); r.status != exitOK || !strings.Contains(r.err, "an earlier run left in the spool") {
		t.Errorf("exit status %d: %s", r.status, r.err)
	}
	if n := len(kcat(t, brokers, schemas.AlertTopic)); n <= before {
		t.Errorf("%d alerts before and %d after the run that had to deliver the spool", before, n)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := cluster.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// eventually requests a page until it has the status, and returns the body.
func eventually(t *testing.T, url string, status int) string {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		res, err := http.Get(url)
		if err != nil {
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil && res.StatusCode == status {
			return string(body)
		}
	}
	t.Errorf("%s never returned %d", url, status)
	return ""
}

// TestSignalWhileKafkaIsAway stops a sensor that cannot deliver: it ends in time, and keeps all records.
func TestSignalWhileKafkaIsAway(t *testing.T) {
	spool := filepath.Join(t.TempDir(), "spool")
	got := interrupted(t, syscall.SIGTERM, "replay", "--silent", "10.20.10.17", "--kafka", "127.0.0.1:1", "--spool", spool, "--kafka-patience", "2s", "--alerts", "-")
	left, err := filepath.Glob(filepath.Join(spool, "*.spool"))
	if err != nil || len(left) == 0 || !strings.Contains(got.err, "stay in the spool") {
		t.Errorf("%v, %v: %s", left, err, got.err)
	}
}

func TestBadPublishing(t *testing.T) {
	capture, dir := write(t, sample(t), "a.pcap"), t.TempDir()
	conf := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(conf, []byte("version: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		says string
		args []string
	}{
		{"give host:port", []string{"--kafka", "kafka"}},
		{"has no publish section", []string{"--publish-config", conf}},
		{"no such file", []string{"--publish-config", filepath.Join(dir, "none.yaml")}},
		{"--listen: listen tcp", []string{"--listen", "203.0.113.1:1"}},
		{"not a directory", []string{"--kafka", "127.0.0.1:1", "--spool", filepath.Join(conf, "spool")}},
	} {
		r := run1(t, append(append([]string{"replay"}, c.args...), capture)...)
		if r.status != exitUsage || !strings.Contains(r.err, c.says) {
			t.Errorf("%v: exit status %d: %s", c.args, r.status, r.err)
		}
	}
}
