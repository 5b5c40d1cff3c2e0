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

// The tests here go the whole way with both programs as they are: a capture is fed to a sensor bit by bit, and what it raises is looked
// for in the collector's database.

// callers is how many silent servers call out in the capture. Each raises an alert with three revisions: some ten thousand records.
const callers = 3400

// capture gives the bytes of the capture, made once.
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
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
})

// sensorPath builds the sensor once.
var sensorPath = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programs, "stillwatch-sensor")
	out, err := exec.Command("go", "build", "-o", path, "stillwatch/sensor").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// source is a running sensor that reads its capture from a pipe.
type source struct {
	*exec.Cmd
	t      *testing.T
	in     io.WriteCloser
	said   bytes.Buffer
	listen string
	left   []byte // of the capture
}

// sense starts a sensor that is to publish the capture.
func (d *delivery) sense(spool string) *source {
	d.Helper()
	path, err := sensorPath()
	if err != nil {
		d.Fatal(err)
	}
	s := &source{t: d.T, listen: fmt.Sprintf("127.0.0.1:%d", freePort(d.T)), left: capture()}
	s.Cmd = exec.Command(path, "replay", "--silent", "10.20.0.0/16", "--kafka", d.cluster.Brokers(cluster.Plaintext), "--spool", spool, "--kafka-patience", "2m",
		"--listen", s.listen, "--alerts", filepath.Join(d.TempDir(), "alerts.jsonl"), "-")
	s.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.Stderr = &s.said
	if s.in, err = s.StdinPipe(); err == nil {
		err = s.Start()
	}
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { _ = s.Process.Kill() })
	return s
}

// feed gives the sensor the next part of the capture, of so many per cent.
func (s *source) feed(percent int) {
	s.t.Helper()
	n := min(len(capture())*percent/100, len(s.left))
	if _, err := s.in.Write(s.left[:n]); err != nil {
		s.t.Fatal(err)
	}
	s.left = s.left[n:]
}

// end gives it the rest, and wants everything to be delivered.
func (s *source) end() {
	s.t.Helper()
	s.feed(100)
	if err := errors.Join(s.in.Close(), s.Wait()); err != nil {
		s.t.Fatalf("the sensor: %v\n%s", err, s.said.String())
	}
}

// get asks the sensor's own address; the status is 0 while it does not answer.
func (s *source) get(path string) (int, string) {
	res, err := http.Get("http://" + s.listen + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// raised is how many records are safe on the sensor's disk.
func (s *source) raised() int {
	_, body := s.get("/metrics")
	m := regexp.MustCompile(`(?m)^stillwatch_publish_spool_raised_total (.*)$`).FindStringSubmatch(body)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	return int(n)
}

// decided gives what the sensor says of the capture when it writes to a file, by id and revision, without what is of a run.
var decided = sync.OnceValues(func() (map[string]string, error) {
	path, err := sensorPath()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "replay", "--silent", "10.20.0.0/16", "--alerts", "-", "-")
	cmd.Stdin = bytes.NewReader(capture())
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range bytes.Lines(out) {
		key, text, err := bare(line)
		if err != nil {
			return nil, err
		}
		all[key] = text
	}
	return all, nil
})

// bare gives an alert's id and revision, and the record without what only a run can know.
func bare(line []byte) (key, text string, err error) {
	var a schemas.Alert
	if err := errors.Join(schemas.Validate(schemas.KindAlert, line), json.Unmarshal(line, &a)); err != nil {
		return "", "", err
	}
	a.Time.EmittedAt, a.Time.Replay, a.Sensor.BootID, a.Sensor.Seq = nil, false, "", 0
	b, err := schemas.AppendAlert(nil, &a)
	return fmt.Sprintf("%s.%d", a.ID, a.Revision), string(b), err
}

// ask asks the database for a number.
func (d *delivery) ask(query string) (n int) {
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

// stored is how many revisions the database has.
func (d *delivery) stored() int { return d.ask(`SELECT count(*) FROM revisions`) }

// revisions gives all that the database has, by id and revision. It fails the test if anything is there twice.
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
		key, text, err := bare(line)
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

// exactly waits until the database has as much as the sensor decides, and wants it to be that, with no number missing.
func (d *delivery) exactly() {
	d.Helper()
	want, err := decided()
	if err != nil {
		d.Fatal(err)
	}
	if len(want) < alerts {
		d.Fatalf("the capture raises %d alerts only", len(want))
	}
	until(d.T, "all is stored", func() bool { return d.stored() >= len(want) })
	got := d.revisions()
	for key, text := range want {
		if got[key] != text {
			d.Fatalf("%s is stored as\n%s\nand was decided as\n%s", key, got[key], text)
		}
	}
	if len(got) != len(want) {
		d.Errorf("%d revisions are stored, %d were decided", len(got), len(want))
	}
	if n := count(d.T, d.store); n != callers {
		d.Errorf("%d alerts, want %d", n, callers)
	}
	d.nothingMissing()
}

func (d *delivery) nothingMissing() {
	d.Helper()
	sensors, err := d.store.Sensors(context.Background())
	if err != nil || len(sensors) != 1 || sensors[0].Missing != 0 {
		d.Errorf("sensors %+v, %v: numbers are missing", sensors, err)
	}
}

func (d *delivery) brokerAway() {
	p := d.begin()
	s := d.sense(filepath.Join(d.TempDir(), "spool"))
	s.feed(40)
	until(d.T, "something is stored", func() bool { return d.stored() > 0 })
	if err := d.cluster.Stop(); err != nil {
		d.Fatal(err)
	}
	s.feed(40)
	for name, ready := range map[string]func() (int, string){"sensor": func() (int, string) { return s.get("/readyz") }, "collector": p.ready} {
		until(d.T, "the "+name+" says that the broker is away", func() bool {
			code, why := ready()
			return code == http.StatusServiceUnavailable && strings.Contains(why, "connection refused")
		})
	}
	if n := d.stored(); n >= alerts {
		d.Errorf("%d records were stored already: it was not in the middle", n)
	}
	if err := d.cluster.Start(d.Context()); err != nil {
		d.Fatal(err)
	}
	d.client = d.cluster.Client()
	s.end()
	d.exactly()
	p.stop()
}

// sensorKilled kills a sensor, lets a run without anything of its own deliver what was left, and then has all decided again.
func (d *delivery) sensorKilled() {
	p := d.begin()
	spool := filepath.Join(d.TempDir(), "spool")
	s := d.sense(spool)
	s.feed(60)
	var raised int
	until(d.T, "many are raised", func() bool { raised = s.raised(); return raised > alerts/4 })
	if err := s.Process.Kill(); err != nil {
		d.Fatal(err)
	}
	_ = s.Wait()
	d.Logf("killed with %d records raised and %d stored", raised, d.stored())
	empty := d.sense(spool)
	empty.left = empty.left[:24] // the head of the file alone
	empty.end()
	until(d.T, "what was raised is stored", func() bool { return d.ask(`SELECT coalesce(max(received), 0) FROM boots`) >= raised })
	d.nothingMissing()
	if n := d.stored(); n >= alerts {
		d.Errorf("%d records are stored already: it was not in the middle", n)
	}
	d.sense(spool).end()
	d.exactly()
	p.stop()
}

// TestLeaderKilled has three brokers, each record on two disks at least, and kills the one that leads.
func TestLeaderKilled(t *testing.T) {
	if testing.Short() {
		testneed.Missing(t, testneed.KafkaNeed, "three brokers: left out by -short")
	}
	d := &delivery{T: t, cluster: kafkatest.Start(t, cluster.Options{Brokers: 3}), dir: t.TempDir()}
	d.make()
	p := d.begin()
	s := d.sense(filepath.Join(t.TempDir(), "spool"))
	s.feed(40)
	until(t, "something is stored", func() bool { return d.stored() > 0 })
	leaders, err := d.cluster.Leaders(t.Context(), schemas.AlertTopic)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cluster.Nodes[leaders[0]-1].Kill(); err != nil {
		t.Fatal(err)
	}
	if n := d.stored(); n >= alerts {
		t.Errorf("%d records were stored already: it was not in the middle", n)
	}
	s.end()
	d.exactly()
	d.tooFew(p)
	p.stop()
}

// programs is where built programs are put; TestMain makes it and takes it away.
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
