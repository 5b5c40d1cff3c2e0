// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"stillwatch/schemas"
)

// flood sends attempts to open sessions, each another one, with all the force that a few threads have, until stop is closed.
func (n *segment) flood(t *testing.T, stop <-chan struct{}) (sent *atomic.Uint64, wait func()) {
	t.Helper()
	sent = new(atomic.Uint64)
	var all sync.WaitGroup
	for k := range 3 {
		all.Go(func() {
			n.in(t, func() error { return floodFrom(uint32(k), sent, stop) })
		})
	}
	return sent, all.Wait
}

func floodFrom(thread uint32, sent *atomic.Uint64, stop <-chan struct{}) error {
	i, err := net.InterfaceByName("src0")
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// Ethernet, IPv4 and TCP with a SYN, 60 bytes: from 172.16.0.0/12 to 10.20.10.17:22.
	frame := make([]byte, 60)
	copy(frame, "\xb8\xca\x3a\x00\x00\x17\x00\x1b\x54\x00\x00\x01\x08\x00\x45\x00\x00\x28\x00\x00\x40\x00\x40\x06\x00\x00")
	copy(frame[30:], []byte{10, 20, 10, 17, 0, 0, 0, 22})
	frame[46], frame[47] = 0x50, 0x02
	to := unix.SockaddrLinklayer{Ifindex: i.Index}
	for x := thread; ; x += 3 {
		select {
		case <-stop:
			return nil
		default:
		}
		binary.BigEndian.PutUint32(frame[26:], 172<<24|16<<16|x&0xfffff)
		binary.BigEndian.PutUint16(frame[34:], uint16(1024+x>>20))
		switch err := unix.Sendto(fd, frame, 0, &to); err {
		case nil:
			sent.Add(1)
		case unix.ENOBUFS: // the cable is full
		default:
			return err
		}
	}
}

// rss gives the resident memory of the sensor, in MiB.
func (d *deployment) rss(t *testing.T) int {
	t.Helper()
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(read(t, fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid)))
	if m == nil {
		t.Fatal("no VmRSS")
	}
	kib, _ := strconv.Atoi(m[1])
	return kib >> 10
}

// value gives a metric of the sensor.
func value(t *testing.T, metrics, name string) float64 {
	t.Helper()
	for line := range strings.Lines(metrics) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestOverload floods the port with more than the machine can take: what is lost is counted where it is lost, memory stays as it is, the
// sensor tells its metrics and what it found before, and raises the alarm that it does not see everything.
func TestOverload(t *testing.T) {
	for mode, place := range map[string]string{"afpacket": "ring", "xdp": "xdp"} {
		t.Run(mode, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "sensor.yaml")
			if err := os.WriteFile(config, []byte("version: 1\nlimits: {sessions: 20000, devices: 1000, names: 2000}\ndetections:\n  D41: {params: {window_seconds: 2}}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			d := deploy(t, 0, nil, "--mode", mode, "--config", config, "--ring-size", "8", "--silent", "10.20.10.17", "--listen", "127.0.0.1:9477")
			d.toldUntil(t, "READY=1")
			d.send(t, framesOf(sample(t)))
			stop := make(chan struct{})
			sent, wait := d.flood(t, stop)
			end := sync.OnceFunc(func() { close(stop); wait() })
			defer end()
			dropped := func(m string) float64 {
				return value(t, m, `stillwatch_sensor_capture_dropped_total{place="`+place+`"}`)
			}
			waitUntil(t, "drops", func() bool { return dropped(d.metrics(t)) > 10_000 })
			waitUntil(t, "the alert about what came before", d.hasAlert(t, "D01", "mac:b8:ca:3a:00:00:17"))
			waitUntil(t, "an alert about the loss", d.lossAlert(t))
			var memory []int // in MiB, after each 400,000 frames
			for n := sent.Load(); len(memory) < 5; n += 400_000 {
				waitUntil(t, "more frames", func() bool { return sent.Load() > n })
				memory = append(memory, d.rss(t))
				d.metrics(t)
			}
			end()
			if most := slices.Max(memory); most > max(memory[2], memoryBudget>>20)+48 { // so much may be garbage
				t.Errorf("memory grew: %d MiB", memory)
			}
			d.accounts(t, sent.Load(), place)
			d.end(t)
			t.Logf("%d frames sent, memory %d MiB", sent.Load(), memory)
		})
	}
}

func (d *deployment) lossAlert(t *testing.T) func() bool {
	return func() bool {
		for line := range strings.Lines(read(t, filepath.Join(d.dir, "alerts.jsonl"))) {
			var a schemas.Alert
			if json.Unmarshal([]byte(line), &a) == nil && a.Rule.ID == "D41" && strings.Contains(a.Title, "dropped") && a.Sensor.LossRatio > 0.01 {
				return true
			}
		}
		return false
	}
}

// accounts holds the counters to the frames that were sent: each was lost at one place, or read.
func (d *deployment) accounts(t *testing.T, sent uint64, place string) {
	t.Helper()
	var m string
	get := func(name string) float64 { return value(t, m, "stillwatch_sensor_"+name) }
	lost := func(place string) float64 { return get(`capture_dropped_total{place="` + place + `"}`) }
	waitUntil(t, "the sensor to have read all that was kept for it", func() bool {
		m = d.metrics(t)
		return get("packets_total")+get("packets_shunted_total")+lost(place) == get("capture_received_total")
	})
	if got := get("capture_received_total"); got+lost("queue") < float64(sent) {
		t.Errorf("%.0f frames received and %.0f lost before, of %d", got, lost("queue"), sent)
	}
}
