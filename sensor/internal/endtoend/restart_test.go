// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// lasting is the part of an alert that an interrupted run must not change: everything but the revisions, the time of the last one, and the
// points of the evidence, which decay daily from the time when they were computed.
func lasting(a *schemas.Alert) string {
	x := *a
	x.Revision, x.Action, x.Time.DetectedAt, x.Time.EmittedAt, x.Device.Evidence = 0, "", 0, nil, nil
	x.Sensor.BootID, x.Sensor.Seq = "", 0
	b, err := schemas.AppendAlert(nil, &x)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// lastAlerts reads alerts, checks that each revision has one content, and returns the last revisions.
func lastAlerts(t *testing.T, files ...string) []string {
	t.Helper()
	byID, seen := map[string]*schemas.Alert{}, map[string]string{}
	for _, line := range alertLines(t, files...) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		k := fmt.Sprintf("%s %d", a.ID, a.Revision)
		if was, ok := seen[k]; ok && was != unstampedSeq(line) {
			t.Errorf("revision %s has two contents:\n%s\n%s", k, was, line)
		}
		seen[k] = unstampedSeq(line)
		if b := byID[a.ID]; b == nil || b.Revision < a.Revision {
			byID[a.ID] = &a
		}
	}
	var out []string
	onceInAWindow(t, byID)
	for _, a := range byID {
		out = append(out, lasting(a))
	}
	slices.Sort(out)
	return out
}

// onceInAWindow checks that an alert is raised only once in its deduplication window, unless another one has absorbed it.
func onceInAWindow(t *testing.T, all map[string]*schemas.Alert) {
	t.Helper()
	byKey := map[string][]*schemas.Alert{}
	for _, a := range all {
		k := strings.Join([]string{a.Rule.ID, a.Device.Key, a.Dedupe.Key}, "|")
		for _, b := range byKey[k] {
			if d := int64(a.Dedupe.FirstSeen - b.Dedupe.FirstSeen); max(d, -d) < a.Dedupe.WindowS*int64(time.Second) && a.AbsorbedBy == "" && b.AbsorbedBy == "" {
				t.Errorf("raised twice: %s, with the ids %s and %s", k, a.ID, b.ID)
			}
		}
		byKey[k] = append(byKey[k], a)
	}
}

func alertLines(t *testing.T, files ...string) (lines []string) {
	t.Helper()
	for _, f := range files {
		for line := range strings.Lines(read(t, f)) {
			if strings.HasSuffix(line, "\n") { // a kill may cut the last one
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// unstampedSeq removes all fields that identify the run that wrote an alert.
func unstampedSeq(line string) string {
	var m map[string]any
	_ = json.Unmarshal([]byte(line), &m)
	delete(m["sensor"].(map[string]any), "boot_id")
	delete(m["sensor"].(map[string]any), "seq")
	delete(m["time"].(map[string]any), "emitted_at")
	b, _ := json.Marshal(m)
	return string(b)
}

// quietCuts returns up to n packet numbers, spread over the capture, before which no session was open or waited to expire.
func quietCuts(t *testing.T, capture string, packets []packetAt, n int) (cuts []int) {
	t.Helper()
	sessions := filepath.Join(t.TempDir(), "sessions")
	if r := run1(t, "replay", "--alerts", os.DevNull, "--sessions", sessions, capture); r.status != exitOK {
		t.Fatal(r.err)
	}
	type span struct{ from, to int64 }
	var open []span
	for line := range strings.Lines(read(t, sessions)) {
		var s schemas.Session
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		to := int64(s.End) + int64(time.Second)
		switch s.State { // until it is given up
		case "attempted", "rejected":
			to += int64(10 * time.Minute)
		case "established", "midstream", "one_way":
			if s.Proto == "tcp" {
				to += int64(2 * time.Hour)
			}
		}
		open = append(open, span{int64(s.Start), to})
	}
	slices.SortFunc(open, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	until, k := int64(0), 0
	for i := 1; i < len(packets); i++ {
		for ; k < len(open) && open[k].from <= packets[i-1].time; k++ {
			until = max(until, open[k].to)
		}
		if packets[i].time > until {
			cuts = append(cuts, i)
		}
	}
	for len(cuts) > n { // keep every second one
		var kept []int
		for i := 0; i < len(cuts); i += 2 {
			kept = append(kept, cuts[i])
		}
		cuts = kept
	}
	return cuts
}

// packetAt is the offset of a packet in a pcap file, and its time.
type packetAt struct {
	at   int
	time int64
}

func packetsOf(t *testing.T, raw []byte) (all []packetAt) {
	t.Helper()
	order := pcapOrder(raw)
	if order == nil {
		t.Fatal("this is not a pcap file")
	}
	unit := int64(time.Microsecond)
	if m := order.Uint32(raw); m == 0xa1b23c4d {
		unit = int64(time.Nanosecond)
	}
	for at := 24; at+16 <= len(raw); at += 16 + int(order.Uint32(raw[at+8:])) {
		all = append(all, packetAt{at, int64(order.Uint32(raw[at:]))*int64(time.Second) + int64(order.Uint32(raw[at+4:]))*unit})
	}
	return all
}

// storyCapture returns the folder of a story, its capture, and the content of the capture.
func storyCapture(t *testing.T, name string) (dir, capture string, raw []byte) {
	t.Helper()
	dir = filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", name)
	capture = filepath.Join(dir, "input.pcap")
	raw, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	return dir, capture, raw
}

// TestRestartChangesNoRecord cuts stories where no session is open, replays the parts in separate runs that share a state file, and compares
// with one run over the whole.
func TestRestartChangesNoRecord(t *testing.T) {
	cuts := 16
	if testing.Short() {
		cuts = 3
	}
	for _, name := range []string{"S1", "S2", "S3", "S4", "S5", "benign"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, capture, raw := storyCapture(t, name)
			packets := packetsOf(t, raw)
			at := quietCuts(t, capture, packets, cuts)
			if len(at) == 0 {
				t.Fatal("no time without an open session")
			}
			whole := filepath.Join(t.TempDir(), "whole")
			replayWith(t, dir, whole, "", capture)
			want := lastAlerts(t, whole)
			for _, i := range at {
				parts := save(t, t.TempDir(), [][]byte{raw[:packets[i].at], slices.Concat(raw[:24], raw[packets[i].at:])})
				if got := inParts(t, dir, parts); !slices.Equal(got, want) {
					t.Errorf("cut before packet %d of %d: %s", i, len(packets), difference(strings.Join(got, "\n"), strings.Join(want, "\n")))
				}
			}
			for k := 1; k < cuts/2; k++ { // during sessions: nothing is reported twice
				i := len(packets) * k / (cuts / 2)
				inParts(t, dir, save(t, t.TempDir(), [][]byte{raw[:packets[i].at], slices.Concat(raw[:24], raw[packets[i].at:])}))
			}
		})
	}
}

func replayWith(t *testing.T, dir, alerts, state string, captures ...string) {
	t.Helper()
	args := []string{"replay", "--inventory", filepath.Join(dir, "inventory.yaml"), "--alerts", alerts}
	if state != "" {
		args = append(args, "--state", state)
	}
	if r := run1(t, append(args, captures...)...); r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
}

// inParts replays captures one after another, each in its own run.
func inParts(t *testing.T, dir string, captures []string) []string {
	t.Helper()
	tmp := t.TempDir()
	state := filepath.Join(tmp, "state")
	var files []string
	for i, c := range captures {
		files = append(files, filepath.Join(tmp, fmt.Sprint("alerts", i)))
		replayWith(t, dir, files[i], state, c)
	}
	if left, err := filepath.Glob(state + "*"); err != nil || len(left) != 1 {
		t.Errorf("a run that ended with status 0 left %q, %v", left, err)
	}
	return lastAlerts(t, files...)
}

// TestRestartAtEveryQuietMoment restarts whenever no session is open: the state must survive many restarts.
func TestRestartAtEveryQuietMoment(t *testing.T) {
	dir, capture, raw := storyCapture(t, "S1")
	packets := packetsOf(t, raw)
	var pieces [][]byte
	from := 24
	for _, i := range append(quietCuts(t, capture, packets, 40), -1) {
		to := len(raw)
		if i >= 0 {
			to = packets[i].at
		}
		pieces = append(pieces, slices.Concat(raw[:24], raw[from:to]))
		from = to
	}
	whole := filepath.Join(t.TempDir(), "whole")
	replayWith(t, dir, whole, "", capture)
	if got, want := inParts(t, dir, save(t, t.TempDir(), pieces)), lastAlerts(t, whole); !slices.Equal(got, want) {
		t.Errorf("in %d runs: %s", len(pieces), difference(strings.Join(got, "\n"), strings.Join(want, "\n")))
	}
}
