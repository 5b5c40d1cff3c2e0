// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stillwatch/schemas"
)

// blind returns the titles of the alerts that the sensor captures nothing, in their last revision.
func (d *deployment) blind(t *testing.T) (titles []string) {
	last := map[string]string{}
	var order []string
	for line := range strings.Lines(read(t, filepath.Join(d.dir, "alerts.jsonl"))) {
		var a schemas.Alert
		if json.Unmarshal([]byte(line), &a) == nil && a.Rule.ID == "D41" && strings.HasPrefix(a.Dedupe.Key, "blind: ") {
			if _, known := last[a.ID]; !known {
				order = append(order, a.ID)
			}
			last[a.ID] = a.Title
		}
	}
	for _, id := range order {
		titles = append(titles, last[id])
	}
	return titles
}

// listen receives and discards the messages to the service manager.
func (d *deployment) listen() {
	_ = d.manager.SetReadDeadline(time.Time{})
	for b := make([]byte, 1024); ; {
		if _, err := d.manager.Read(b); err != nil {
			return // the test is over
		}
	}
}

// says waits until the sensor is ready, or not ready with this reason, and checks that the metric agrees.
func (d *deployment) says(t *testing.T, reason string) {
	t.Helper()
	waitUntil(t, "ready, or why not: "+reason, func() bool {
		status, body := d.get(t, "/readyz")
		return reason == "" && status == 200 || reason != "" && status == 503 && strings.Contains(body, reason)
	})
	up := "stillwatch_sensor_capture_up 1"
	if reason != "" {
		up = "stillwatch_sensor_capture_up 0"
	}
	if m := d.metrics(t); !strings.Contains(m, up+"\n") {
		t.Errorf("no %q while %q", up, reason)
	}
}

// TestLinkGoesAndComesBack takes the port down, unplugs the cable and removes the interface, and restores each.
func TestLinkGoesAndComesBack(t *testing.T) {
	for _, mode := range []string{"afpacket", "xdp"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d := deploy(t, 0, nil, "--mode", mode, "--silent", "10.20.10.17", "--listen", "127.0.0.1:9477", "--wait-iface")
			d.toldUntil(t, "READY=1")
			go d.listen() // as a service manager does
			d.says(t, "")
			_, calls := reloading()
			for _, x := range []struct{ down, up, reason string }{
				{"ip link set span0 down", "ip link set span0 up", "the interface span0 is down"},
				{"ip link set src0 down", "ip link set src0 up", "the interface span0 has no link"},
				{"ip link del span0", `ip link add span0 type veth peer name src0
					ip link set span0 addrgenmode none; ip link set src0 addrgenmode none
					ip link set span0 up; ip link set src0 up`, "the interface span0 is gone"},
			} {
				d.sh(t, x.down)
				d.says(t, x.reason)
				waitUntil(t, "an alert that "+x.reason, func() bool {
					all := strings.Join(d.blind(t), "\n")
					return strings.Contains(all, "The sensor is blind: "+x.reason)
				})
				time.Sleep(2 * time.Second)
				d.sh(t, x.up)
				d.says(t, "")
			}
			d.send(t, calls)
			waitUntil(t, "an alert from the interface that came back", func() bool {
				return strings.Contains(read(t, filepath.Join(d.dir, "alerts.jsonl")), `"id":"D01"`)
			})
			d.says(t, "")
			if c := d.counters(t, "span0"); c.TX.Packets != 0 {
				t.Errorf("%d frames were sent", c.TX.Packets)
			}
			if err := errors.Join(d.cmd.Process.Signal(syscall.SIGTERM), d.cmd.Wait()); err != nil {
				t.Error(err)
			}
			if titles := strings.Join(d.blind(t), "\n"); !strings.Contains(titles, "The sensor was blind for ") {
				t.Errorf("no alert says for how long the sensor was blind: %s", titles)
			}
		})
	}
}

// TestInterfaceIsRemoved checks that the run ends with a clear error without --wait-iface.
func TestInterfaceIsRemoved(t *testing.T) {
	for _, mode := range []string{"afpacket", "xdp"} {
		t.Run(mode, func(t *testing.T) {
			d := deploy(t, 0, nil, "--mode", mode, "--listen", "127.0.0.1:9477")
			d.toldUntil(t, "READY=1")
			d.sh(t, "ip link del span0")
			if err := d.cmd.Wait(); err == nil || d.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(d.log.String(), "span0: the interface is gone") {
				t.Errorf("%v: %s", err, d.log.String())
			}
		})
	}
}

// TestWaitForTheInterface starts before the interface exists.
func TestWaitForTheInterface(t *testing.T) {
	d := deploy(t, 0, nil, "--mode", "auto", "--listen", "127.0.0.1:9477", "--wait-iface", "--iface", "span1")
	time.Sleep(1500 * time.Millisecond)
	d.sh(t, "ip link add span1 type veth peer name src1; ip link set span1 addrgenmode none; ip link set src1 addrgenmode none; ip link set src1 up")
	time.Sleep(1500 * time.Millisecond)
	d.sh(t, "ip link set span1 up")
	d.toldUntil(t, "READY=1")
	d.says(t, "")
	d.end(t)
}
