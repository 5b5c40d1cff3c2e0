// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"stillwatch/internal/testlab/trace"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/pipeline"
)

// Limits that a flood reaches.
const (
	maxSessions = 500
	maxDevices  = 60
)

// told is what a run said: the alerts by rule, device and peer, and the summary.
type told struct {
	alerts  []string
	summary pipeline.Summary
}

func replay(t *testing.T, file, inventory string) told {
	t.Helper()
	inv, err := config.LoadInventory(inventory)
	if err != nil {
		t.Fatal(err)
	}
	src, err := capture.OpenFiles([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var out told
	set := config.Defaults() // with tables that a flood fills
	set.Limits.Sessions, set.Limits.Devices, set.Limits.Names = maxSessions, maxDevices, 100
	r, err := pipeline.New(pipeline.Config{Settings: set, Inventory: inv, Replay: true}, src, pipeline.Output{
		Alert: func(a *schemas.Alert) error {
			if a.Action == "create" && a.Severity != "informational" {
				out.alerts = append(out.alerts, name(a))
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	out.summary = r.Summary()
	return out
}

func name(a *schemas.Alert) string {
	s := a.Rule.ID + " " + a.Device.Key
	if a.Peer != nil && a.Peer.IP.IsValid() {
		s += " " + a.Peer.IP.String()
	}
	return s
}

// TestFloodFillsTables hides a story in floods that fill small tables: all that is reported without a flood is reported again. The package endtoend
// has larger floods, without the race detector.
func TestFloodFillsTables(t *testing.T) {
	story := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", "S3")
	inventory := filepath.Join(story, "inventory.yaml")
	f, err := os.Open(filepath.Join(story, "input.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	packets, err := trace.ReadStory(f)
	if err != nil {
		t.Fatal(err)
	}
	packets = attack(packets)
	alone := flood(t, trace.SYNFlood, 2, packets, inventory)
	if len(alone.alerts) == 0 {
		t.Fatal("the story alone raises nothing")
	}
	for kind, counter := range map[string]string{
		trace.SYNFlood: "sessions_evicted", trace.MACFlood: "sessions_evicted", trace.DNSFlood: "sessions_evicted", trace.FragFlood: "fragments_lost",
	} {
		t.Run(kind, func(t *testing.T) {
			got := flood(t, kind, 20_000, packets, inventory)
			for _, a := range alone.alerts {
				if !slices.Contains(got.alerts, a) {
					t.Errorf("not told in the flood: %s", a)
				}
			}
			if got.summary.Counters[counter] == 0 {
				t.Errorf("%s is 0", counter)
			}
			if n := int(got.summary.Devices); n > maxDevices {
				t.Errorf("%d devices", n)
			}
			if n := int(got.summary.SessionsLive); n > maxSessions {
				t.Errorf("%d sessions at once", n)
			}
		})
	}
}

// attack leaves out the quiet week around the attack: stretched over it, a million packets are no flood.
func attack(story []trace.Packet) []trace.Packet {
	from := time.Date(2026, 3, 10, 20, 10, 0, 0, time.UTC).UnixNano()
	return slices.DeleteFunc(story, func(p trace.Packet) bool { return p.Time < from || p.Time > from+30*60e9 })
}

func flood(t *testing.T, kind string, n int, story []trace.Packet, inventory string) told {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flood.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trace.Write(f, trace.Config{Kind: kind, Packets: n, Seed: 7, Story: story}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	return replay(t, path, inventory)
}
