// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/state"
)

// TestKillLosesNoAlert kills the program with SIGKILL when it reports an alert, and continues with another one and the remaining packets: no
// revision is reported with two contents, and no alert is raised again.
func TestKillLosesNoAlert(t *testing.T) {
	moments := []int{1, 2, 5, 11, 23, 40, 61}
	if testing.Short() {
		moments = []int{1, 11}
	}
	for _, name := range []string{"S1", "S3"} {
		for _, nth := range moments {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", name)
				raw, err := os.ReadFile(filepath.Join(dir, "input.pcap"))
				if err != nil {
					t.Fatal(err)
				}
				tmp := t.TempDir()
				state, alerts := filepath.Join(tmp, "state"), filepath.Join(tmp, "first")
				given := killed(t, nth, alerts, raw, "--inventory", filepath.Join(dir, "inventory.yaml"), "--state", state)
				rest := save(t, tmp, [][]byte{slices.Concat(raw[:24], raw[given:])})
				second := filepath.Join(tmp, "second")
				replayWith(t, dir, second, state, rest...)
				lastAlerts(t, alerts, second)
				if lines := alertLines(t, second); len(lines) == 0 {
					t.Error("the second run reported nothing")
				}
			})
		}
	}
}

// killed runs a replay from a pipe, kills it at its nth alert, and returns how many bytes of the capture it had received.
func killed(t *testing.T, nth int, alerts string, raw []byte, args ...string) (given int) {
	t.Helper()
	cmd := sensor(t, slices.Concat([]string{"replay", "--alerts", "-"}, args, []string{"-"})...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dead := make(chan string)
	go func() {
		var told strings.Builder
		n := 0
		for r := bufio.NewReader(out); ; {
			line, err := r.ReadString('\n')
			told.WriteString(line)
			if n++; n == nth {
				_ = cmd.Process.Kill() // it may have ended by itself
			}
			if err != nil {
				dead <- told.String()
				return
			}
		}
	}()
	packets := packetsOf(t, raw)
	given = pour(in, raw, packets)
	told := <-dead
	_ = cmd.Wait() // by the signal
	if err := os.WriteFile(alerts, []byte(told), 0o600); err != nil {
		t.Fatal(err)
	}
	return given
}

// pour writes a capture to a pipe, a quiet week at once and the rest piece by piece, until the reader closes it.
func pour(in io.WriteCloser, raw []byte, packets []packetAt) (given int) {
	defer in.Close()
	quiet := len(packets) * 6 / 10
	for i := quiet; i <= len(packets); i += 25 {
		to := len(raw)
		if i < len(packets) {
			to = packets[i].at
		}
		if _, err := in.Write(raw[given:to]); err != nil {
			return to // whatever of it was read
		}
		given = to
		if i == quiet {
			time.Sleep(1100 * time.Millisecond) // so that a snapshot is due
		}
		time.Sleep(5 * time.Millisecond)
	}
	return given
}

// TestKillChangesNoRecord kills the program with SIGKILL when no session is open and the snapshot is written, and continues with another one
// and the remaining packets: together they report the same as one run.
func TestKillChangesNoRecord(t *testing.T) {
	cuts := 3
	if testing.Short() {
		cuts = 1
	}
	for _, name := range []string{"S1", "S2", "S3", "S4", "S5"} {
		dir, capture, raw := storyCapture(t, name)
		packets := packetsOf(t, raw)
		at := slices.DeleteFunc(quietCuts(t, capture, packets, len(packets)), func(i int) bool { // a snapshot is due after ten seconds
			return packets[i].time-packets[i-1].time < 11*int64(time.Second)
		})
		if len(at) == 0 {
			t.Fatalf("%s has no time without an open session", name)
		}
		whole := filepath.Join(t.TempDir(), "whole")
		replayWith(t, dir, whole, "", capture)
		want := lastAlerts(t, whole)
		for k := range min(cuts, len(at)) {
			i := at[(2*k+1)*len(at)/(2*min(cuts, len(at)))]
			t.Run(fmt.Sprint(name, " ", i), func(t *testing.T) {
				t.Parallel()
				tmp := t.TempDir()
				saved, first, second := filepath.Join(tmp, "saved", "state"), filepath.Join(tmp, "first"), filepath.Join(tmp, "second")
				for at, tries := int64(0), 0; at <= packets[i-1].time; at, tries = savedAt(t, saved), tries+1 { // again if the machine was too busy to save
					if tries == 10 {
						t.Fatal("the last second was never saved")
					}
					if err := os.RemoveAll(filepath.Dir(saved)); err != nil {
						t.Fatal(err)
					}
					if err := os.Mkdir(filepath.Dir(saved), 0o700); err != nil {
						t.Fatal(err)
					}
					killedWhenSaved(t, saved, raw[:packets[i].at], tickAt(raw, packets[i].at), "--inventory", filepath.Join(dir, "inventory.yaml"), "--alerts", first)
				}
				replayWith(t, dir, second, saved, save(t, tmp, [][]byte{slices.Concat(raw[:24], raw[packets[i].at:])})...)
				if got := lastAlerts(t, first, second); !slices.Equal(got, want) {
					t.Errorf("killed before packet %d of %d: %s", i, len(packets), difference(strings.Join(got, "\n"), strings.Join(want, "\n")))
				}
			})
		}
	}
}

// tickAt returns a record with the time of the record at an offset of a capture, and a frame without a known protocol: it moves only the clock.
func tickAt(raw []byte, at int) []byte {
	frame := make([]byte, 60)
	frame[12], frame[13] = 0x88, 0xb5 // an EtherType for experiments
	head := slices.Clone(raw[at : at+16])
	pcapOrder(raw).PutUint32(head[8:], uint32(len(frame)))
	pcapOrder(raw).PutUint32(head[12:], uint32(len(frame)))
	return append(head, frame...)
}

// killedWhenSaved runs a replay from a pipe, kills it after a tick made it write its state, and keeps its records.
func killedWhenSaved(t *testing.T, state string, capture, tick []byte, args ...string) {
	t.Helper()
	cmd := sensor(t, slices.Concat([]string{"replay", "--state", state}, args, []string{"-"})...)
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	began := time.Time{}
	for _, part := range [][]byte{capture, tick} {
		if _, err := in.Write(part); err != nil {
			t.Fatal(err)
		}
		began = written(t, state, began)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // by the signal
}

// savedAt returns the time of the capture clock at which a state was saved last, and leaves the state as it is.
func savedAt(t *testing.T, path string) int64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(mine, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := state.Open(mine, state.Options{Any: true})
	if err != nil {
		t.Fatal(err)
	}
	at := s.Clock()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return at
}

// written waits until a file was written after a time, and then not for longer than the interval between snapshots. It returns when it was
// written last.
func written(t *testing.T, path string, since time.Time) (last time.Time) {
	t.Helper()
	waitUntil(t, "a state that is written", func() bool {
		i, err := os.Stat(path)
		if err == nil {
			last = i.ModTime()
		}
		return err == nil && last.After(since) && time.Since(last) > 1200*time.Millisecond
	})
	return last
}
