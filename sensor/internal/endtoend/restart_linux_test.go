// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"stillwatch/schemas"
)

// restart starts the sensor of a deployment again, at the same port and with the same files.
func (d *deployment) restart(t *testing.T) {
	t.Helper()
	before := d.cmd
	d.cmd = sensor(t, before.Args[1:]...)
	d.cmd.Env, d.cmd.SysProcAttr, d.cmd.Stderr = before.Env, before.SysProcAttr, before.Stderr
	d.in(t, d.cmd.Start)
	d.toldUntil(t, "READY=1")
}

func metricValue(t *testing.T, metrics, name string) float64 {
	t.Helper()
	for line := range strings.Lines(metrics) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}

func (d *deployment) alerts(t *testing.T, rule string) (all []schemas.Alert) {
	t.Helper()
	for _, line := range alertLines(t, filepath.Join(d.dir, "alerts.jsonl")) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		if a.Rule.ID == rule {
			all = append(all, a)
		}
	}
	return all
}

// TestLiveRestart kills a sensor that has dropped its privileges, and starts it again: its alerts continue, and the sandbox lets it write the
// state.
func TestLiveRestart(t *testing.T) {
	d := deploy(t, nobodyID, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}, AmbientCaps: documentedCapabilities("afpacket")},
		"--mode", "afpacket", "--silent", "10.20.10.17", "--listen", "127.0.0.1:9477", "--state", "DIR/state")
	d.toldUntil(t, "READY=1")
	frames := framesOf(sample(t))
	d.send(t, frames)
	waitUntil(t, "an alert", func() bool { return len(d.alerts(t, "D01")) > 0 })
	first := d.alerts(t, "D01")[0]
	d.reload(t) // what is kept goes on through a reload
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = d.cmd.Wait() // by the signal

	d.restart(t)
	d.send(t, frames)
	waitUntil(t, "the second session", func() bool {
		return metricValue(t, d.metrics(t), "stillwatch_sensor_packets_total") >= float64(len(frames))
	})
	if m := d.metrics(t); metricValue(t, m, "stillwatch_state_fault") != 0 || metricValue(t, m, "stillwatch_state_journal_errors_total") != 0 {
		t.Error("the state cannot be written")
	}
	d.end(t)
	all := d.alerts(t, "D01")
	last := all[len(all)-1]
	if last.ID != first.ID || last.Dedupe.Count != 2 || last.Revision <= first.Revision {
		t.Errorf("the last is revision %d of %s with a count of %d, and the first was revision %d of %s", last.Revision, last.ID, last.Dedupe.Count, first.Revision, first.ID)
	}
	lastAlerts(t, filepath.Join(d.dir, "alerts.jsonl"))
	if left, _ := filepath.Glob(filepath.Join(d.dir, "state*")); len(left) != 1 {
		t.Errorf("%q are left", left)
	}
}
