// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"stillwatch/internal/testlab/trace"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// acts are the attacks of two stories within seconds: an intruder logs in to a recorder, which then opens sessions outside; and a camera is
// moved and uploads pictures.
func acts(t *testing.T) (all []trace.Packet, inventory string) {
	t.Helper()
	dir := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata")
	for _, act := range []struct {
		story string
		from  time.Time
		lasts time.Duration
	}{
		{"S4", time.Date(2026, 3, 10, 3, 0, 0, 0, time.UTC), time.Hour},
		{"S3", time.Date(2026, 3, 10, 20, 10, 0, 0, time.UTC), 30 * time.Minute},
	} {
		f, err := os.Open(filepath.Join(dir, act.story, "input.pcap"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		story, err := trace.ReadStory(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range story {
			if d := time.Unix(0, p.Time).Sub(act.from); d >= 0 && d < act.lasts {
				all = append(all, p)
			}
		}
	}
	warp(all, time.Millisecond)
	for i := range all { // a cable carries whole frames
		if p := &all[i]; len(p.Data) < p.OrigLen {
			p.Data = append(p.Data, make([]byte, p.OrigLen-len(p.Data))...)
		}
	}
	return all, filepath.Join(dir, "S3", "inventory.yaml")
}

// warp shortens the pauses between packets to at most this time.
func warp(all []trace.Packet, most time.Duration) {
	at, before := all[0].Time, all[0].Time
	for i := range all {
		at += min(max(all[i].Time-before, 0), int64(most))
		before, all[i].Time = all[i].Time, at
	}
}

func writeCapture(t *testing.T, all []trace.Packet) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "acts.pcap")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := pcapgo.NewWriterNanos(f)
	if err := w.WriteFileHeader(1<<16, layers.LinkTypeEthernet); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		info := gopacket.CaptureInfo{Timestamp: time.Unix(0, p.Time), CaptureLength: len(p.Data), Length: len(p.Data)}
		if err := w.WritePacket(info, p.Data); err != nil {
			t.Fatal(err)
		}
	}
	return name
}

// play sends packets into the cable at their original speed.
func (n *segment) play(t *testing.T, all []trace.Packet) {
	t.Helper()
	n.in(t, func() error {
		c, err := openCable()
		if err != nil {
			return err
		}
		defer c.close()
		began := time.Now()
		for _, p := range all {
			time.Sleep(time.Duration(p.Time-all[0].Time) - time.Since(began))
			if err := c.put(p.Data); err != nil {
				return err
			}
		}
		return nil
	})
}

// verdicts are the records of a run: the last revisions of alerts, and sessions, without what depends on the time of day.
func verdicts(t *testing.T, dir string) (alerts, sessions []string) {
	t.Helper()
	last := map[string]string{}
	for line := range strings.Lines(read(t, filepath.Join(dir, "alerts.jsonl"))) {
		var a schemas.Alert
		if err := errors.Join(schemas.Validate(schemas.KindAlert, []byte(line)), json.Unmarshal([]byte(line), &a)); err != nil {
			t.Fatal(err)
		}
		peer := ""
		if a.Peer != nil {
			peer = a.Peer.IP.String()
		}
		last[a.ID] = fmt.Sprintf("%s %s %s %s %q", a.Rule.ID, a.Device.Key, peer, a.Severity, a.Title)
	}
	for line := range strings.Lines(read(t, filepath.Join(dir, "sessions.jsonl"))) {
		var s map[string]any
		if err := errors.Join(schemas.Validate(schemas.KindSession, []byte(line)), json.Unmarshal([]byte(line), &s)); err != nil {
			t.Fatal(err)
		}
		delete(s, "start")
		delete(s, "end")
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, string(text))
	}
	slices.Sort(sessions)
	return slices.Sorted(maps.Values(last)), sessions
}

// differences returns what only one of two sorted lists has.
func differences(got, want []string) (text []string) {
	for len(got)+len(want) > 0 {
		switch c := compareFirst(got, want); {
		case c == 0:
			got, want = got[1:], want[1:]
		case c < 0:
			text, got = append(text, "+ "+got[0]), got[1:]
		default:
			text, want = append(text, "- "+want[0]), want[1:]
		}
	}
	return text
}

func compareFirst(a, b []string) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return cmp.Compare(a[0], b[0])
}

// TestFileAndPortGiveTheSameRecords replays one capture from a file, and sends it to AF_PACKET and XDP: alerts and sessions are the same.
func TestFileAndPortGiveTheSameRecords(t *testing.T) {
	packets, inventory := acts(t)
	dir := t.TempDir()
	r := run1(t, "replay", "--inventory", inventory, "--alerts", filepath.Join(dir, "alerts.jsonl"), "--sessions", filepath.Join(dir, "sessions.jsonl"), writeCapture(t, packets))
	if r.status != exitOK {
		t.Fatalf("status %d: %s", r.status, r.err)
	}
	wantAlerts, wantSessions := verdicts(t, dir)
	if len(wantAlerts) < 10 || len(wantSessions) < 100 {
		t.Fatalf("only %d alerts and %d sessions from the file", len(wantAlerts), len(wantSessions))
	}
	for _, args := range [][]string{{"--mode", "afpacket"}, {"--mode", "afpacket", "--rings", "3"}, {"--mode", "xdp"}, {"--mode", "xdp", "--xdp-action", "drop"}} {
		t.Run(strings.Join(args[1:], " "), func(t *testing.T) {
			t.Parallel() // it waits for the speed of the capture
			d := deploy(t, 0, nil, append(args, "--inventory", inventory, "--sessions", "DIR/sessions.jsonl")...)
			d.toldUntil(t, "READY=1")
			d.play(t, packets)
			d.end(t)
			alerts, sessions := verdicts(t, d.dir)
			for _, line := range differences(alerts, wantAlerts) {
				t.Errorf("alert %s", line)
			}
			for i, line := range differences(sessions, wantSessions) {
				if i < 6 {
					t.Errorf("session %s", line)
				}
			}
			t.Logf("%d alerts, %d sessions of %d packets", len(alerts), len(sessions), len(packets))
		})
	}
}
