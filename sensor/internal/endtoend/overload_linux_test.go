// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/gctune"
)

// flood sends SYNs, each of a new session, as fast as a few threads can, until stop is closed.
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
	c, err := openCable()
	if err != nil {
		return err
	}
	defer c.close()
	// Ethernet, IPv4 and TCP with a SYN, 60 bytes: from 172.16.0.0/12 to 10.20.10.17:22.
	frame := make([]byte, 60)
	copy(frame, "\xb8\xca\x3a\x00\x00\x17\x00\x1b\x54\x00\x00\x01\x08\x00\x45\x00\x00\x28\x00\x00\x40\x00\x40\x06\x00\x00")
	copy(frame[30:], []byte{10, 20, 10, 17, 0, 0, 0, 22})
	frame[46], frame[47] = 0x50, 0x02
	for x := thread; ; x += 3 {
		select {
		case <-stop:
			return nil
		default:
		}
		binary.BigEndian.PutUint32(frame[26:], 172<<24|16<<16|x&0xfffff)
		binary.BigEndian.PutUint16(frame[34:], uint16(1024+x>>20))
		if err := c.offer(frame, sent); err != nil {
			return err
		}
	}
}

// offer puts a frame on the cable and counts it, unless the cable is full.
func (c *cable) offer(frame []byte, sent *atomic.Uint64) error {
	err := c.put(frame)
	switch err {
	case nil:
		sent.Add(1)
	case unix.ENOBUFS:
		return nil
	}
	return err
}

// starved is how long an answer may take while the flood keeps all processors busy.
const starved = 2 * time.Minute

// rss returns the resident memory of the sensor, in MiB.
func (d *deployment) rss(t *testing.T) int {
	t.Helper()
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(read(t, fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid)))
	if m == nil {
		t.Fatal("no VmRSS")
	}
	kib, _ := strconv.Atoi(m[1])
	return kib >> 10
}

// value returns a metric of the sensor.
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

// sneak sends frames on a cable that is full, and counts them.
func (n *segment) sneak(t *testing.T, frames [][]byte, sent *atomic.Uint64) {
	t.Helper()
	n.in(t, func() error {
		c, err := openCable()
		if err != nil {
			return err
		}
		defer c.close()
		for _, f := range frames {
			if err := c.offer(f, sent); err != nil {
				return err
			}
		}
		return nil
	})
}

// wakingPorts is how many sessions a waking server opens at once: in a flood, the first packets of most are lost.
const wakingPorts = 200

// waking is a server that should be silent and opens sessions to several ports.
func waking(first uint16) [][]byte {
	n := netsim.New(1)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	srv, far := n.Host("srv", "10.20.10.18", "b8:ca:3a:00:00:18", netsim.Linux), n.External("198.51.100.23", netsim.Linux, 40*time.Millisecond)
	for i := range uint16(wakingPorts) {
		n.Dial(began(), srv, far, first+i).Send([]byte("hello")).Close()
	}
	return framesOf(n)
}

// TestOverload floods the port with more than the machine can process. Each loss is counted once, where it happens; memory does not grow; the
// sensor still reads packets, serves metrics and health, and reports alerts, among them the one about the loss.
func TestOverload(t *testing.T) {
	for mode, place := range map[string]string{"afpacket": "ring", "xdp": "xdp"} {
		t.Run(mode, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "sensor.yaml")
			if err := os.WriteFile(config, []byte("version: 1\nlimits: {sessions: 20000, devices: 1000, names: 2000}\ndetections:\n  D41: {params: {window_seconds: 2}}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			d := deploy(t, 0, nil, "--mode", mode, "--config", config, "--ring-size", "8", "--silent", "10.20.10.17", "--silent", "10.20.10.18", "--listen", "127.0.0.1:9477")
			d.toldUntil(t, "READY=1")
			before := framesOf(sample(t))
			d.send(t, before)
			stop := make(chan struct{})
			sent, wait := d.flood(t, stop)
			sent.Add(uint64(len(before)))
			end := sync.OnceFunc(func() { close(stop); wait() })
			defer end()
			dropped := func(m string) float64 {
				return value(t, m, `stillwatch_sensor_capture_dropped_total{place="`+place+`"}`)
			}
			waitFor(t, starved, "drops", func() bool { return dropped(d.metrics(t)) > 10_000 })
			waitFor(t, starved, "the alert about what came before", d.hasAlert(t, "D01", "mac:b8:ca:3a:00:00:17"))
			waitFor(t, starved, "an alert about the loss", d.lossAlert(t))
			// Of its sessions the answers alone may come through, which do not tell its MAC.
			byMAC, byIP, port := d.hasAlert(t, "D01", "mac:b8:ca:3a:00:00:18"), d.hasAlert(t, "D01", "ip:10.20.10.18@local"), uint16(4000)
			waitFor(t, starved, "an alert about what came meanwhile", func() bool {
				d.sneak(t, waking(port), sent)
				port += wakingPorts
				return byMAC() || byIP()
			})
			memory := d.endure(t, sent)
			if still := dropped(d.metrics(t)); still < 20_000 {
				t.Errorf("only %.0f frames were lost: this was no flood", still)
			}
			end()
			if most := slices.Max(memory); most > gctune.Budget>>20+96 { // so much may be garbage, as collections are late on a busy machine
				t.Errorf("memory grew: %d MiB", memory)
			}
			d.accounts(t, sent.Load(), place)
			d.end(t)
			t.Logf("%d frames sent, memory %d MiB", sent.Load(), memory)
		})
	}
}

// endure continues the flood for a million frames and returns the memory after each 200,000, in MiB. The sensor must answer and read packets
// all the time.
func (d *deployment) endure(t *testing.T, sent *atomic.Uint64) (memory []int) {
	t.Helper()
	read := 0.0
	for n := sent.Load(); len(memory) < 5; n += 200_000 {
		waitFor(t, starved, "more frames", func() bool { return sent.Load() > n+200_000 })
		memory = append(memory, d.rss(t))
		before := read
		waitFor(t, starved, "the sensor to continue reading", func() bool { // the counters are those of the last processed second
			read = value(t, d.metrics(t), "stillwatch_sensor_packets_total")
			return read > before
		})
		d.healthy(t)
	}
	return memory
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

// accounts checks the counters against the frames that were sent: each frame was read or lost at one place, and none is counted twice. The
// kernel counts losses before the port for all ports of the machine together.
func (d *deployment) accounts(t *testing.T, sent uint64, place string) {
	t.Helper()
	var m string
	get := func(name string) float64 { return value(t, m, "stillwatch_sensor_"+name) }
	lost := func(place string) float64 { return get(`capture_dropped_total{place="` + place + `"}`) }
	counted := func() float64 { // by the program in the kernel, and of no interest to us
		if place != "xdp" {
			return 0
		}
		return get(`capture_kernel_total{way="shunted"}`) + get(`capture_kernel_total{way="unwatched"}`)
	}
	waitFor(t, starved, "the sensor to have read all that was kept for it", func() bool {
		m = d.metrics(t)
		return get("packets_total")+counted()+lost(place) == get("capture_received_total")
	})
	if got := get("capture_received_total"); got+lost("queue") < float64(sent) || got > float64(sent) {
		t.Errorf("%.0f frames received and %.0f lost before, of %d", got, lost("queue"), sent)
	}
	for _, other := range []string{"nic", "ring", "xdp"} {
		if n := lost(other); other != place && n != 0 {
			t.Errorf("%.0f frames are counted as lost at %s", n, other)
		}
	}
}
