// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
	"stillwatch/internal/testlab/lab"
	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testlab/story"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// TestDelivery covers the whole path: attackers in a lab, the sensor at the mirror port, Apache Kafka, the collector, and the alerts in
// its API.
func TestDelivery(t *testing.T) {
	if testing.Short() {
		testneed.Missing(t, testneed.KafkaNeed, "left out by -short")
	}
	if err := netns.Needs(); err != nil {
		testneed.Missing(t, "root", "%v", err)
	}
	kafka := kafkatest.Start(t, cluster.Options{})
	d := &delivery{T: t, brokers: kafka.Brokers(cluster.Plaintext)}
	programs := buildPrograms(t, "scripts/lab", "sensor", "collector")
	d.lab, d.sensor, d.collector = programs[0], programs[1], programs[2]
	d.serve()
	for _, c := range []deliveryCase{
		{"xdp", "xdp", netns.Mirror{Way: netns.Direct}},
		{"afpacket", "afpacket", netns.Mirror{Way: netns.Direct}},
		{"vxlan", "xdp", netns.Mirror{Way: netns.VXLAN}},
		{"erspan", "afpacket", netns.Mirror{Way: netns.ERSPAN}},
		{"one-way", "xdp", netns.Mirror{Way: netns.Direct, OneWay: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // each case has its own lab
			d.deliver(t, c)
		})
	}
}

type deliveryCase struct {
	name   string // also the id of the sensor
	mode   string
	mirror netns.Mirror
}

// delivery is a running collector.
type delivery struct {
	*testing.T
	brokers                string
	lab, sensor, collector string // programs
	console, token         string
}

// serve creates the topics, starts the collector and creates an API token.
func (d *delivery) serve() {
	dir := d.TempDir()
	config := filepath.Join(dir, "collector.yaml")
	text := fmt.Sprintf("listen: 127.0.0.1:0\nhealth: 127.0.0.1:0\ndatabase: %s\nkafka:\n  brokers: [%s]\n", filepath.Join(dir, "collector.db"), d.brokers)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
	if out, err := exec.Command(d.collector, "topics", "init", "--config", config).CombinedOutput(); err != nil {
		d.Fatalf("%v: %s", err, out)
	}
	c := exec.Command(d.collector, "serve", "--config", config)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			d.Error(err)
		}
		if err := c.Wait(); err != nil {
			d.Error(err)
		}
	})
	for lines := bufio.NewScanner(log); d.console == ""; {
		if !lines.Scan() {
			d.Fatal("the collector does not serve")
		}
		var said struct{ Msg, Console string }
		if json.Unmarshal(lines.Bytes(), &said) == nil && said.Msg == "collector started" {
			d.console = said.Console
		}
	}
	go func() { _, _ = io.Copy(io.Discard, log) }() // so that the collector never blocks on its log
	out, err := exec.Command(d.collector, "token", "add", "lab", "--config", config).Output()
	if err != nil {
		d.Fatal(err)
	}
	d.token = strings.TrimSpace(string(out))
}

// alerts returns the alerts of a sensor from the API.
func (d *delivery) alerts(t *testing.T, sensor string) (list []schemas.Alert) {
	t.Helper()
	for cursor := ""; ; {
		r, err := http.NewRequest(http.MethodGet, d.console+"/api/v1/alerts?limit=1000&sensor="+sensor+"&cursor="+cursor, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+d.token)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Alerts []struct{ Alert schemas.Alert }
			Next   string
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		if res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s, %v", res.Status, err)
		}
		for _, a := range page.Alerts {
			list = append(list, a.Alert)
		}
		if cursor = page.Next; cursor == "" {
			return list
		}
	}
}

// deliver runs the stories and waits for every expected alert.
func (d *delivery) deliver(t *testing.T, c deliveryCase) {
	stories := story.Stories()
	score := story.NewScore(stories, c.name, c.mirror.OneWay)
	s, err := lab.Open(t.Context(), lab.Options{Mirror: c.mirror, Program: d.lab, OnStep: score.Step})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, broker := range strings.Split(d.brokers, ",") {
		if err := s.Forward(t.Context(), netns.Sensor, broker); err != nil {
			t.Fatal(err)
		}
	}
	inventory, config, err := lab.Files(t.TempDir(), c.name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Watch(t.Context(), d.sensor, []string{"--mode", c.mode, "--inventory", inventory, "--config", config, "--kafka", d.brokers, "--spool", t.TempDir()}, func(schemas.Alert) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range stories {
		if err := s.Act(t.Context(), x.Name); err != nil {
			t.Error(err)
		}
	}
	var got []schemas.Alert
	// A one-way mirror is detected from ended sessions, and one-sided sessions end after 70 seconds.
	for end := time.Now().Add(5 * time.Minute); score.Missing() > 0 && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		got = d.alerts(t, c.name)
		for _, a := range got {
			score.Alert(a, time.Now())
		}
	}
	if err := waitDelivered(w); err != nil {
		t.Error(err)
	}
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
	for _, r := range score.Results() {
		if r.Came.IsZero() {
			t.Errorf("missing: %+v", r.Expectation)
		}
	}
	if t.Failed() {
		for _, a := range got {
			t.Logf("stored: %s %s of %s: %s", a.Rule.ID, a.Severity, a.Device.Key, a.Title)
		}
		t.Logf("log of the sensor:\n%s", w.Log())
	}
	for _, a := range got {
		if a.Sensor.Capture != c.mode || a.Sensor.Iface != netns.SensorPort || a.Time.Replay {
			t.Fatalf("an alert of capture %q at %q, replay %v", a.Sensor.Capture, a.Sensor.Iface, a.Time.Replay)
		}
	}
	if told := oneWay(got); told != c.mirror.OneWay {
		t.Errorf("alerts report a one-way mirror: %v", told)
	}
	if n, err := s.Frames(context.Background()); err != nil || n.Sent != 0 || n.Received == 0 {
		t.Errorf("the mirror port: %+v, %v", n, err)
	}
}

// waitDelivered waits until the sensor's spool is empty. A sensor that is stopped waits 10 s for Kafka; an election on a busy machine may
// take longer.
func waitDelivered(w *lab.Sensor) error {
	const empty = "\nstillwatch_publish_spool_records 0\n"
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if page, err := w.Get("/metrics"); err == nil && strings.Contains(page, empty) {
			return nil
		}
	}
	return errors.New("the spool does not get empty")
}

// oneWay reports whether alerts say that the mirror shows one direction only.
func oneWay(list []schemas.Alert) bool {
	for _, a := range list {
		if a.Sensor.OneWay {
			return true
		}
	}
	return false
}
