// SPDX-License-Identifier: Apache-2.0

package pipeline_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/config"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/device"
	"stillwatch/sensor/internal/pipeline"
)

// verdict is when a device first got a role, on the capture clock.
type verdict struct {
	seen, classified int64
	written          int64 // last event before the first record with a role was written; 0 if none was
}

// verdicts runs captures as a live sensor does, and returns the verdict on each device by its key.
func verdicts(t *testing.T, internal []netip.Prefix, paths ...string) map[string]verdict {
	t.Helper()
	src, err := capture.OpenFiles(paths)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	all, last := map[string]verdict{}, int64(0)
	evaluate := func(d *device.Device, now int64) {
		if d == nil {
			return
		}
		if v := all[d.Key]; d.Level > device.LevelUnknown && v.classified == 0 {
			v.seen, v.classified = d.FirstSeen, now
			all[d.Key] = v
		}
	}
	set := config.Defaults()
	set.Internal = internal
	r, err := pipeline.New(pipeline.Config{Settings: set, Shards: 1}, src, pipeline.Output{
		Event: func(e *detect.Event, _ *detect.Context) {
			last = e.Time
			evaluate(e.Initiator, e.Time)
			evaluate(e.Responder, e.Time)
		},
		Device: func(d *schemas.Device) error {
			if v := all[d.Key]; d.RoleLevel != "unknown" && v.classified != 0 && v.written == 0 {
				v.written = last
				all[d.Key] = v
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
	return all
}

// TestFirstVerdict checks that the record with the first role of a device is written within two seconds of the capture clock after the packet
// with the evidence, and not with the next pass over all devices.
func TestFirstVerdict(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 1, 0, time.UTC)
	n := netsim.New(1)
	pc := n.Host("pc", "10.0.0.5", "02:00:00:00:00:05", netsim.Windows)
	dns := n.Host("dns", "10.0.0.6", "02:00:00:00:00:06", netsim.Linux)
	type evidence struct {
		host *netsim.Host
		at   time.Duration
		tell func(time.Time, *netsim.Host)
	}
	var hosts []evidence
	for i, tell := range []func(time.Time, *netsim.Host){
		func(at time.Time, h *netsim.Host) {
			n.SADPMatch(at, h, netsim.Camera{Model: "DS-2CD2143G0-I", Firmware: "V5.5.82"})
		},
		func(at time.Time, h *netsim.Host) { n.DHIPNotify(at, h, netsim.Camera{Model: "IPC-HFW2431S"}) },
		func(at time.Time, h *netsim.Host) {
			n.MDNSAnnounce(at, h, "_axis-video._tcp.local", "AXIS P3225", "axis.local", 80, "macaddress=900102000017")
		},
		func(at time.Time, h *netsim.Host) {
			n.Dial(at, pc, h, 80).HTTP(netsim.Request{Method: "GET", URI: "/"}, netsim.Response{Status: 200, Header: []string{"Server: App-webs/"}}).Close()
		},
	} {
		h := n.Host(fmt.Sprint("cam", i), fmt.Sprintf("10.0.0.%d", 21+i), fmt.Sprintf("90:01:02:00:00:%02x", 21+i), netsim.Linux)
		hosts = append(hosts, evidence{h, time.Duration(3+7*i) * time.Second, tell})
	}
	for _, x := range hosts {
		x.tell(at.Add(x.at), x.host)
	}
	for s := range 50 {
		n.Lookup(at.Add(time.Duration(s)*time.Second), pc, dns, "example.com", "192.0.2.1")
	}
	path := filepath.Join(t.TempDir(), "a.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	all := verdicts(t, nil, path)
	for i, x := range hosts {
		v := all[fmt.Sprintf("mac:90:01:02:00:00:%02x", 21+i)]
		if v.classified == 0 || v.written == 0 {
			t.Errorf("device %d: %+v", i, v)
			continue
		}
		told := at.Add(x.at).UnixNano()
		if late := time.Duration(v.classified - told); late > time.Second {
			t.Errorf("device %d: classified %s after the evidence", i, late)
		}
		if late := time.Duration(v.written - v.classified); late > 2*time.Second {
			t.Errorf("device %d: written %s after the evidence", i, late)
		}
	}
}

// TestFirstVerdictInCorpus measures how long after its first packet a labelled device gets its first role.
func TestFirstVerdictInCorpus(t *testing.T) {
	corpus := testneed.Corpus(t)
	f, err := os.Open(filepath.Join(corpus, "truth", "devices.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	labels := map[string][]string{} // by capture: keys of devices
	source := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row struct{ Capture, Source, MAC, IP string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		key := "mac:" + row.MAC
		if row.MAC == "" {
			key = "ip:" + row.IP + "@local"
		}
		labels[row.Capture], source[row.Capture] = append(labels[row.Capture], key), row.Source
	}
	var waits []time.Duration
	devices, within := 0, 0
	for name, keys := range labels {
		var internal []netip.Prefix
		if source[name] == "stopddos" { // hosts of the Internet
			internal = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}
		}
		all := verdicts(t, internal, filepath.Join(corpus, "captures", name))
		for _, k := range keys {
			devices++
			v, ok := all[strings.ToLower(k)]
			if !ok || v.classified == 0 {
				continue
			}
			wait := time.Duration(v.classified - v.seen)
			if waits = append(waits, wait); wait <= 10*time.Second {
				within++
			}
		}
	}
	slices.Sort(waits)
	if len(waits) < devices/2 {
		t.Fatalf("%d of %d devices got a role", len(waits), devices)
	}
	at := func(share float64) time.Duration {
		return waits[int(share*float64(len(waits)-1))].Round(time.Millisecond)
	}
	t.Logf("%d devices, %d with a role, %d of them within 10 s of their first packet; median %s, 90 %% %s, 99 %% %s, longest %s",
		devices, len(waits), within, at(0.5), at(0.9), at(0.99), at(1))
}
