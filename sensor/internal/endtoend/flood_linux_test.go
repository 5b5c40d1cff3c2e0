// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"stillwatch/internal/testlab/trace"
)

// floodLimits are tables that a flood fills.
const floodLimits = "version: 1\nlimits: {sessions: 4000, devices: 250, names: 500}\n"

// flooded is what a run says about a capture with a flood.
type flooded struct {
	alerts  []string // above informational, by rule, device and peer
	metrics string
	memory  int // MiB, at most
}

// TestFloodHidesNoStory hides a story in floods: all that is reported without a flood is reported again, tables stay within their bounds, and a
// flood that is three times as large takes no more memory. A smaller flood runs under the race detector in the package pipeline.
func TestFloodHidesNoStory(t *testing.T) {
	capture, inventory := storyFiles(t, "S3")
	f, err := os.Open(capture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	packets, err := trace.ReadStory(f)
	if err != nil {
		t.Fatal(err)
	}
	// Without the quiet week around the attack: stretched over it, a million packets are no flood.
	from := time.Date(2026, 3, 10, 20, 10, 0, 0, time.UTC).UnixNano()
	packets = slices.DeleteFunc(packets, func(p trace.Packet) bool { return p.Time < from || p.Time > from+30*60e9 })
	args := []string{"--inventory", inventory, "--config", file(t, "sensor.yaml", floodLimits)}
	alone := replayFlood(t, trace.Config{Kind: trace.SYNFlood, Packets: 2, Story: packets}, args...)
	if len(alone.alerts) == 0 {
		t.Fatal("the story alone raises nothing")
	}
	for kind, counter := range map[string]string{
		trace.SYNFlood: "sessions_evicted", trace.MACFlood: "sessions_evicted", trace.DNSFlood: "sessions_evicted", trace.FragFlood: "fragments_lost",
	} {
		t.Run(kind, func(t *testing.T) {
			small := replayFlood(t, trace.Config{Kind: kind, Packets: 170_000, Seed: 7, Story: packets}, args...)
			large := replayFlood(t, trace.Config{Kind: kind, Packets: 510_000, Seed: 7, Story: packets}, args...)
			for _, a := range alone.alerts {
				if !slices.Contains(large.alerts, a) {
					t.Errorf("not told in the flood: %s", a)
				}
			}
			of := func(x flooded, name string) int { return int(value(t, x.metrics, "stillwatch_sensor_"+name)) }
			if a, b := of(small, counter+"_total"), of(large, counter+"_total"); b == 0 || b <= a {
				t.Errorf("%s: %d, and %d in the smaller flood", counter, b, a)
			}
			if n := of(large, "devices"); n > 250 {
				t.Errorf("%d devices", n)
			}
			if n := of(large, "sessions_live_max"); n > 4000 {
				t.Errorf("%d sessions at once", n)
			}
			if large.memory > small.memory+24 {
				t.Errorf("memory grew from %d to %d MiB", small.memory, large.memory)
			}
			t.Logf("%d MiB, then %d MiB; %d sessions live at most, %d devices", small.memory, large.memory, of(large, "sessions_live_max"), of(large, "devices"))
		})
	}
}

func replayFlood(t *testing.T, c trace.Config, args ...string) (x flooded) {
	t.Helper()
	dir := t.TempDir()
	capture, alerts, metrics := filepath.Join(dir, "flood.pcap"), filepath.Join(dir, "alerts"), filepath.Join(dir, "metrics")
	f, err := os.Create(capture)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trace.Write(f, c); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(capture)
	args = append([]string{"replay", "--log-level", "error", "--alerts", alerts, "--metrics-file", metrics}, args...)
	cmd := sensor(t, append(args, capture)...)
	cmd.Env = append(cmd.Env, "GOGC=10") // so that what is resident is in use
	if r := finish(t, cmd); r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	for _, a := range alertsIn(t, alerts) {
		if a.Severity == "informational" {
			continue
		}
		s := a.Rule.ID + " " + a.Device.Key
		if a.Peer != nil && a.Peer.IP.IsValid() {
			s += " " + a.Peer.IP.String()
		}
		x.alerts = append(x.alerts, s)
	}
	x.metrics, x.memory = read(t, metrics), int(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss>>10)
	return x
}
