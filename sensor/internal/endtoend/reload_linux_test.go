// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
)

// inventoryFile writes an inventory with one server.
func inventoryFile(t *testing.T, path, name, expect string) {
	t.Helper()
	text := fmt.Sprintf("version: 1\nnetworks:\n  internal: [10.20.0.0/16]\ndevices:\n  - name: %s\n    match: {mac: \"b8:ca:3a:00:00:17\"}\n    expect: %s\n", name, expect)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// reloading is a server from which a monitor copies files, and which then opens two sessions.
func reloading() (copying, calls [][]byte) {
	net := func() (n *netsim.Net, srv, monitor *netsim.Host) {
		n = netsim.New(1)
		n.Router("10.20.1.1", "00:1b:54:00:00:01")
		return n, n.Host("srv", "10.20.10.17", "b8:ca:3a:00:00:17", netsim.Linux), n.Host("monitor", "10.20.1.9", "b8:ca:3a:00:00:09", netsim.Linux)
	}
	n, srv, monitor := net()
	n.Dial(began(), monitor, srv, 80).HTTP(netsim.Request{Method: "GET", URI: "/"}, netsim.Response{Status: 200}).Bulk(netsim.Server, 4<<20, time.Second, 2).Close()
	m, srv, _ := net()
	far := m.External("198.51.100.23", netsim.Linux, 40*time.Millisecond)
	m.Dial(began(), srv, far, 4444).Send([]byte("hello")).Close()
	return framesOf(n), framesOf(m)
}

func (d *deployment) reload(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.toldUntil(t, "RELOADING=1")
	d.toldUntil(t, "READY=1")
}

func (d *deployment) hasAlert(t *testing.T, rule, device string) func() bool {
	return func() bool {
		for line := range strings.Lines(read(t, filepath.Join(d.dir, "alerts.jsonl"))) {
			var a schemas.Alert
			if json.Unmarshal([]byte(line), &a) == nil && a.Rule.ID == rule && a.Device.Key == device {
				return true
			}
		}
		return false
	}
}

// TestReload changes the inventory during a session: no packet of the session is lost, the new inventory is active from then on, and an invalid
// one is rejected.
func TestReload(t *testing.T) {
	for _, mode := range []string{"afpacket", "xdp"} {
		t.Run(mode, func(t *testing.T) {
			inventory := filepath.Join(t.TempDir(), "site.yaml")
			inventoryFile(t, inventory, "srv-old", "normal")
			d := deploy(t, 0, nil, "--mode", mode, "--inventory", inventory, "--sessions", "DIR/sessions.jsonl", "--listen", "127.0.0.1:9477")
			d.toldUntil(t, "READY=1")
			copying, calls := reloading()
			half := len(copying) / 2
			d.send(t, copying[:half])
			inventoryFile(t, inventory, "srv-new", "silent")
			d.reload(t)
			d.send(t, append(copying[half:], calls...))
			waitUntil(t, "an alert about the server under its new name", d.hasAlert(t, "D01", "srv-new"))

			inventoryFile(t, inventory, "srv-new", "asleep")
			d.reload(t)
			m := d.metrics(t)
			for _, want := range []string{`stillwatch_sensor_reloads_total{result="taken"} 1`, `stillwatch_sensor_reloads_total{result="refused"} 1`, "stillwatch_sensor_reload_refused 1"} {
				if !strings.Contains(m, want) {
					t.Errorf("the metrics lack %s", want)
				}
			}
			inventoryFile(t, inventory, "srv-third", "silent")
			d.reload(t)
			if m := d.metrics(t); !strings.Contains(m, "stillwatch_sensor_reload_refused 0") {
				t.Error("the metrics still say that the configuration was refused")
			}
			d.end(t)
			if text := d.log.String(); !strings.Contains(text, "is not valid") || !strings.Contains(text, "asleep") {
				t.Error("the log does not have the reason")
			}
			d.check(t, len(copying))
		})
	}
}

// TestReloadRules changes the custom rules while a rule has counted half of its matches: it continues to count. Rules that are not valid are
// refused in one line of the log, and the old ones stay active.
func TestReloadRules(t *testing.T) {
	const counting = "  - {id: C001, name: Called twice, on: opened, when: session.port == 4444, count: 2}\n"
	dir := t.TempDir()
	write := func(rules ...string) {
		put(t, dir, "rules.yaml", "version: 1\nrules:\n"+strings.Join(rules, ""))
	}
	single := func(id string, port int) string {
		return fmt.Sprintf("  - {id: %s, name: Called, on: opened, when: session.port == %d}\n", id, port)
	}
	n := netsim.New(1)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	srv, far := n.Host("srv", "10.20.10.17", "b8:ca:3a:00:00:17", netsim.Linux), n.External("198.51.100.23", netsim.Linux, 40*time.Millisecond)
	sent := 0
	call := func(port uint16) [][]byte {
		n.Dial(began().Add(time.Duration(sent)*time.Second), srv, far, port).Send([]byte("hello")).Close()
		frames := framesOf(n)[sent:]
		sent += len(frames)
		return frames
	}
	write(counting, single("C002", 4444))
	d := deploy(t, 0, nil, "--config", put(t, dir, "sensor.yaml", "version: 1\nrules: rules.yaml\n"), "--listen", "127.0.0.1:9477")
	d.toldUntil(t, "READY=1")
	const key = "mac:b8:ca:3a:00:00:17"
	d.send(t, call(4444))
	waitUntil(t, "the alert about the first call", d.hasAlert(t, "C002", key))

	write(counting, single("C003", 5555))
	d.reload(t)
	d.send(t, call(5555))
	waitUntil(t, "an alert of the new rule", d.hasAlert(t, "C003", key))
	if d.hasAlert(t, "C001", key)() {
		t.Error("one call made an alert of the rule that counts to two")
	}

	write(counting, "  - {id: C004, name: Wrong, on: opened, when: session.prt == 1}\n")
	d.reload(t)
	d.send(t, call(4444))
	waitUntil(t, "the alert about the second call", d.hasAlert(t, "C001", key))
	if m := d.metrics(t); !strings.Contains(m, `stillwatch_sensor_reloads_total{result="refused"} 1`) || !strings.Contains(m, `stillwatch_sensor_reloads_total{result="taken"} 1`) {
		t.Error("the metrics do not have one reload of each result")
	}
	d.end(t)
	var told []string
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, "is not valid") {
			told = append(told, line)
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], `rules.yaml:4:`) || !strings.Contains(told[0], `session has no field \"prt\"`) {
		t.Errorf("the log does not say once what is wrong: %q", told)
	}
}

// check checks that the session of the copy has all its packets.
func (d *deployment) check(t *testing.T, packets int) {
	t.Helper()
	for line := range strings.Lines(read(t, filepath.Join(d.dir, "sessions.jsonl"))) {
		var s schemas.Session
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		if s.Responder.Port != nil && *s.Responder.Port == 80 {
			if got := int(s.PacketsIn + s.PacketsOut); got != packets || s.State != "closed" {
				t.Errorf("the session has %d packets and is %s, want %d and closed", got, s.State, packets)
			}
			return
		}
	}
	t.Error("the session is not reported")
}

// TestStateSurvivesAKill kills the sensor after an alert: the next one knows the device and continues the alert.
func TestStateSurvivesAKill(t *testing.T) {
	state := filepath.Join(t.TempDir(), "site.state")
	var revisions []schemas.Alert
	for range 2 {
		d := deploy(t, 0, nil, "--silent", "10.20.10.17", "--state", state)
		d.toldUntil(t, "READY=1")
		d.send(t, framesOf(sample(t)))
		waitUntil(t, "an alert", d.hasAlert(t, "D01", "mac:b8:ca:3a:00:00:17"))
		if err := d.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = d.cmd.Wait() // says that it was killed
		for line := range strings.Lines(read(t, filepath.Join(d.dir, "alerts.jsonl"))) {
			var a schemas.Alert
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatal(err)
			}
			if a.Rule.ID == "D01" {
				revisions = append(revisions, a)
			}
		}
	}
	first, last := &revisions[0], &revisions[len(revisions)-1]
	if first.ID != last.ID || first.Revision != 1 || last.Revision < 2 || first.Sensor.BootID == last.Sensor.BootID {
		t.Errorf("first %s revision %d of run %s, last %s revision %d of run %s", first.ID, first.Revision, first.Sensor.BootID, last.ID, last.Revision, last.Sensor.BootID)
	}
}
