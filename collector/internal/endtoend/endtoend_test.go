// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
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

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// The tests in this file run both programs: a sensor reads a capture from a pipe, and its alerts are compared with the database of the
// collector.

// callers is the number of silent servers in the capture that open a session. Each causes an alert with three revisions, about ten
// thousand records in total.
const callers = 3400

// capture returns the capture, which is generated once.
var capture = sync.OnceValue(func() []byte {
	n := netsim.New(1)
	n.Router("10.20.0.1", "00:1b:54:00:00:01")
	far := n.External("198.51.100.23", netsim.Linux, time.Millisecond)
	began := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	for i := range callers {
		h := n.Host(fmt.Sprintf("srv-%d", i), fmt.Sprintf("10.20.%d.%d", 1+i/250, 1+i%250), fmt.Sprintf("b8:ca:3a:00:%02x:%02x", i>>8, i&255), netsim.Linux)
		c := n.DialTLS(began.Add(time.Duration(i)*20*time.Millisecond), h, far, 443, netsim.TLSClient{SNI: "c2.example.net"}, netsim.TLSServer{})
		c.Records(netsim.Client, 2000)
		c.Close()
	}
	var b bytes.Buffer
	if _, err := n.WriteTo(&b); err != nil {
		panic(err) // impossible: writes to a buffer do not fail
	}
	return b.Bytes()
})

// sensorPath builds the sensor once.
var sensorPath = sync.OnceValues(func() (string, error) { return testneed.Program(programs, "sensor") })

// sensor is a running sensor that reads the capture from a pipe.
type sensor struct {
	*exec.Cmd
	t      *testing.T
	in     io.WriteCloser
	stderr bytes.Buffer
	listen string
	left   []byte // of the capture
}

// startSensor starts a sensor that publishes the alerts of the capture.
func (d *delivery) startSensor(spool string) *sensor {
	d.Helper()
	path, err := sensorPath()
	if err != nil {
		d.Fatal(err)
	}
	s := &sensor{t: d.T, listen: fmt.Sprintf("127.0.0.1:%d", freePort(d.T)), left: capture()}
	s.Cmd = exec.Command(path, "replay", "--silent", "10.20.0.0/16", "--kafka", d.cluster.Brokers(cluster.Plaintext), "--spool", spool, "--kafka-patience", "2m",
		"--listen", s.listen, "--alerts", filepath.Join(d.TempDir(), "alerts.jsonl"), "-")
	s.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.Stderr = &s.stderr
	if s.in, err = s.StdinPipe(); err == nil {
		err = s.Start()
	}
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { _ = s.Process.Kill() })
	return s
}

// write writes the next part of the capture, in percent of it, to the sensor.
func (s *sensor) write(percent int) {
	s.t.Helper()
	n := min(len(capture())*percent/100, len(s.left))
	if _, err := s.in.Write(s.left[:n]); err != nil {
		s.t.Fatal(err)
	}
	s.left = s.left[n:]
}

// finish writes the rest of the capture and waits until the sensor has delivered everything.
func (s *sensor) finish() {
	s.t.Helper()
	s.write(100)
	if err := errors.Join(s.in.Close(), s.Wait()); err != nil {
		s.t.Fatalf("sensor: %v\n%s", err, s.stderr.String())
	}
}

// get returns the status and body of a path of the sensor's metrics listener. The status is 0 if it does not respond.
func (s *sensor) get(path string) (int, string) {
	res, err := http.Get("http://" + s.listen + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// raised returns how many records are in the spool of the sensor.
func (s *sensor) raised() int {
	_, body := s.get("/metrics")
	m := regexp.MustCompile(`(?m)^stillwatch_publish_spool_raised_total (.*)$`).FindStringSubmatch(body)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	return int(n)
}

// expected returns the alerts of the capture, by id and revision, as the sensor writes them to a file, without the fields of a run.
var expected = sync.OnceValues(func() (map[string]string, error) {
	path, err := sensorPath()
	if err != nil {
		return nil, err
	}
	packets, err := os.MkdirTemp("", "packets") // the alerts that go to Kafka name their packets
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(packets)
	cmd := exec.Command(path, "replay", "--silent", "10.20.0.0/16", "--alerts", "-", "--evidence", packets, "-")
	cmd.Stdin = bytes.NewReader(capture())
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range bytes.Lines(out) {
		key, text, err := normalize(line)
		if err != nil {
			return nil, err
		}
		all[key] = text
	}
	return all, nil
})

// normalize returns the id and revision of an alert and the record without the fields that depend on the run.
func normalize(line []byte) (key, text string, err error) {
	var a schemas.Alert
	if err := errors.Join(schemas.Validate(schemas.KindAlert, line), json.Unmarshal(line, &a)); err != nil {
		return "", "", err
	}
	a.Time.EmittedAt, a.Time.Replay, a.Sensor.BootID, a.Sensor.Seq = nil, false, "", 0
	b, err := schemas.AppendAlert(nil, &a)
	return fmt.Sprintf("%s.%d", a.ID, a.Revision), string(b), err
}

// queryInt returns the result of a query for a number.
func (d *delivery) queryInt(query string) (n int) {
	d.Helper()
	db, err := sql.Open("sqlite", "file:"+d.path+"?mode=ro")
	if err != nil {
		d.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		d.Fatal(err)
	}
	return n
}

// stored returns the number of revisions in the database.
func (d *delivery) stored() int { return d.queryInt(`SELECT count(*) FROM revisions`) }

// revisions returns all revisions in the database, by id and revision. It fails the test if one is stored twice.
func (d *delivery) revisions() map[string]string {
	d.Helper()
	db, err := sql.Open("sqlite", "file:"+d.path+"?mode=ro")
	if err != nil {
		d.Fatal(err)
	}
	defer db.Close()
	found, err := db.Query(`SELECT json FROM revisions`)
	if err != nil {
		d.Fatal(err)
	}
	defer found.Close()
	all := map[string]string{}
	for found.Next() {
		var line []byte
		if err := found.Scan(&line); err != nil {
			d.Fatal(err)
		}
		key, text, err := normalize(line)
		if err != nil {
			d.Fatal(err)
		}
		if _, twice := all[key]; twice {
			d.Errorf("%s is stored twice", key)
		}
		all[key] = text
	}
	if err := found.Err(); err != nil {
		d.Fatal(err)
	}
	return all
}

// checkRevisions waits until all expected revisions are stored and checks that the database has exactly these, without missing sequence
// numbers.
func (d *delivery) checkRevisions() {
	d.Helper()
	want, err := expected()
	if err != nil {
		d.Fatal(err)
	}
	if len(want) < alerts {
		d.Fatalf("the capture causes only %d records", len(want))
	}
	until(d.T, "all records are stored", func() bool { return d.stored() >= len(want) })
	got := d.revisions()
	for key, text := range want {
		if got[key] != text {
			d.Fatalf("%s is stored as\n%s\nwant\n%s", key, got[key], text)
		}
	}
	if len(got) != len(want) {
		d.Errorf("%d revisions are stored, want %d", len(got), len(want))
	}
	if n := count(d.T, d.store); n != callers {
		d.Errorf("%d alerts, want %d", n, callers)
	}
	d.checkNoGaps()
}

// checkNoGaps waits until the records of the only sensor are stored without a gap. Partitions are read in any order, so the newest record may
// be stored before others.
func (d *delivery) checkNoGaps() {
	d.Helper()
	until(d.T, "no sequence number is missing", func() bool {
		sensors, err := d.store.Sensors(context.Background())
		if err != nil || len(sensors) != 1 {
			d.Fatalf("sensors %+v, %v", sensors, err)
		}
		return sensors[0].Missing == 0
	})
}

func (d *delivery) brokerDown() {
	p := d.begin()
	s := d.startSensor(filepath.Join(d.TempDir(), "spool"))
	s.write(40)
	until(d.T, "some records are stored", func() bool { return d.stored() > 0 })
	if err := d.cluster.Stop(); err != nil {
		d.Fatal(err)
	}
	s.write(40)
	for name, ready := range map[string]func() (int, string){"sensor": func() (int, string) { return s.get("/readyz") }, "collector": p.ready} {
		until(d.T, "the "+name+" reports that the broker is down", func() bool {
			code, why := ready()
			return code == http.StatusServiceUnavailable && strings.Contains(why, "connection refused")
		})
	}
	if n := d.stored(); n >= alerts {
		d.Errorf("%d records were stored already: the interruption came too late", n)
	}
	if err := d.cluster.Start(d.Context()); err != nil {
		d.Fatal(err)
	}
	d.client = d.cluster.Client()
	s.finish()
	d.checkRevisions()
	p.stop()
}

// sensorKilled kills a sensor, delivers its spool with a run without packets, and then replays the whole capture.
func (d *delivery) sensorKilled() {
	p := d.begin()
	spool := filepath.Join(d.TempDir(), "spool")
	s := d.startSensor(spool)
	s.write(60)
	var raised int
	until(d.T, "many alerts are raised", func() bool { raised = s.raised(); return raised > alerts/4 })
	if err := s.Process.Kill(); err != nil {
		d.Fatal(err)
	}
	_ = s.Wait()
	d.Logf("killed with %d records raised and %d stored", raised, d.stored())
	empty := d.startSensor(spool)
	empty.left = empty.left[:24] // only the file header
	empty.finish()
	until(d.T, "the collector has read what was raised", func() bool {
		n := 0.0 // alerts, their packets, incidents and devices
		for _, topic := range []string{schemas.AlertTopic, schemas.IncidentTopic, schemas.DeviceTopic, schemas.EvidenceTopic} {
			of, _ := p.findMetric(fmt.Sprintf(`stillwatch_collector_records_read_total{topic="%s"}`, topic))
			n += of
		}
		return int(n) >= raised
	})
	d.checkNoGaps()
	if n := d.stored(); n >= alerts {
		d.Errorf("%d records are stored already: the interruption came too late", n)
	}
	d.startSensor(spool).finish()
	d.checkRevisions()
	p.stop()
}

// TestLeaderKilled kills the leader of three brokers, with each record on at least two disks.
func TestLeaderKilled(t *testing.T) {
	if testing.Short() {
		testneed.Missing(t, testneed.KafkaNeed, "three brokers: skipped by -short")
	}
	d := &delivery{T: t, cluster: kafkatest.Start(t, cluster.Options{Brokers: 3}), dir: t.TempDir()}
	d.createTopics()
	p := d.begin()
	s := d.startSensor(filepath.Join(t.TempDir(), "spool"))
	s.write(40)
	until(t, "some records are stored", func() bool { return d.stored() > 0 })
	leaders, err := d.cluster.Leaders(t.Context(), schemas.AlertTopic)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cluster.Nodes[leaders[0]-1].Kill(); err != nil {
		t.Fatal(err)
	}
	if n := d.stored(); n >= alerts {
		t.Errorf("%d records were stored already: the interruption came too late", n)
	}
	s.finish()
	d.checkRevisions()
	d.notEnoughReplicas(p)
	p.stop()
}

// programs is the folder for built programs. TestMain creates and removes it.
var programs string

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stillwatch-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	return m.Run()
}
