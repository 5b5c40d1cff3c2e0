// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testneed"
)

// TestKillForgetsNoAlert kills the program with SIGKILL at the moment at which it tells an alert, and has another one go on with the
// packets after those that the first was given: no revision is told with two contents, and nothing is raised anew.
func TestKillForgetsNoAlert(t *testing.T) {
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
					t.Error("the second run told nothing")
				}
			})
		}
	}
}

// killed runs a replay from a pipe, kills it at the nth alert that it tells, and gives how many bytes of the capture it was given.
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

// pour writes a capture to a pipe, a quiet week at once and what follows piece by piece, until nobody reads it any more.
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
