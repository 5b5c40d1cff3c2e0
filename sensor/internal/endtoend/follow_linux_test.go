// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stillwatch/internal/testneed"
)

// follower is a replay that follows captures.
type follower struct {
	cmd  *exec.Cmd
	errs bytes.Buffer
	dir  string // of its records
}

var recordFiles = []string{"alerts", "incidents", "sessions", "devices"}

func startFollower(t *testing.T, inventory string, captures ...string) *follower {
	t.Helper()
	f := &follower{dir: t.TempDir()}
	args := []string{"replay", "--follow", "--follow-idle", "100ms", "--inventory", inventory}
	for _, name := range recordFiles {
		args = append(args, "--"+name, filepath.Join(f.dir, name))
	}
	f.cmd = sensor(t, append(args, captures...)...)
	f.cmd.Stderr = &f.errs
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.cmd.Process.Kill() }) // it has ended unless the test fails
	return f
}

// hasRead waits until the program has read a file to its end.
func (f *follower) hasRead(t *testing.T, path string) {
	t.Helper()
	at := fmt.Sprintf("/proc/%d", f.cmd.Process.Pid)
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		open, err := os.ReadDir(at + "/fd")
		if err != nil {
			t.Fatalf("%v: %s", err, f.errs.String())
		}
		for _, fd := range open {
			if to, err := os.Readlink(at + "/fd/" + fd.Name()); err != nil || to != path {
				continue
			}
			if said, err := os.ReadFile(at + "/fdinfo/" + fd.Name()); err == nil && strings.HasPrefix(string(said), fmt.Sprintf("pos:\t%d\n", info.Size())) {
				return
			}
		}
	}
	t.Fatalf("%s was not read to its end: %s", path, f.errs.String())
}

// end ends the program as Ctrl-C does and returns its records.
func (f *follower) end(t *testing.T) string {
	t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = f.cmd.Wait() // with the status of a signal
	if status := f.cmd.ProcessState.ExitCode(); status != exitSignal+int(syscall.SIGINT) || !strings.Contains(f.errs.String(), "the results up to then were written") {
		t.Errorf("exit status %d: %s", status, f.errs.String())
	}
	var b strings.Builder
	for _, name := range recordFiles {
		b.WriteString(unstamped(read(t, filepath.Join(f.dir, name))))
	}
	return b.String()
}

// recordsOf replays finished captures.
func recordsOf(t *testing.T, inventory string, captures ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"replay", "--inventory", inventory}
	for _, name := range recordFiles {
		args = append(args, "--"+name, filepath.Join(dir, name))
	}
	if r := run1(t, append(args, captures...)...); r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	var b strings.Builder
	for _, name := range recordFiles {
		b.WriteString(unstamped(read(t, filepath.Join(dir, name))))
	}
	return b.String()
}

// TestFollow writes a story in pieces that end within records, into one file and into the files of a rotation, and follows it: the records are those of a
// replay of the finished files.
func TestFollow(t *testing.T) {
	dir, whole, raw := storyCapture(t, "S1")
	inventory := filepath.Join(dir, "inventory.yaml")
	want := recordsOf(t, inventory, whole)
	if !strings.Contains(want, `"stillwatch.alert/1"`) {
		t.Fatal("no alert")
	}
	grow := func(t *testing.T, path string, data []byte) {
		w, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for len(data) > 0 {
			n := min(10_007, len(data))
			if _, err := w.Write(data[:n]); err != nil {
				t.Fatal(err)
			}
			data = data[n:]
		}
	}
	t.Run("growing file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "span.pcap")
		grow(t, path, raw[:30])
		f := startFollower(t, inventory, path)
		grow(t, path, raw[30:])
		f.hasRead(t, path)
		if got := f.end(t); got != want {
			t.Error(difference(got, want))
		}
	})
	t.Run("rotation", func(t *testing.T) {
		spool := t.TempDir()
		f := startFollower(t, inventory, spool)
		packets, last := packetsOf(t, raw), ""
		for i := range 5 {
			to := len(raw)
			if i < 4 {
				to = packets[len(packets)*(i+1)/5].at
			}
			last = filepath.Join(spool, fmt.Sprintf("span_%05d.pcap", i))
			grow(t, last, raw[:24])
			grow(t, last, raw[packets[len(packets)*i/5].at:to])
		}
		f.hasRead(t, last)
		if got := f.end(t); got != want {
			t.Error(difference(got, want))
		}
	})
	t.Run("tcpdump -C", func(t *testing.T) {
		tcpdump := testneed.Command(t, "tcpdump")
		spool := t.TempDir()
		f := startFollower(t, inventory, spool)
		cmd := exec.Command(tcpdump, "-Z", "root", "-r", "-", "-w", filepath.Join(spool, "span.pcap"), "-C", "1", "-U")
		cmd.Stdin = bytes.NewReader(raw)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		last := filepath.Join(spool, "span.pcap1")
		f.hasRead(t, last)
		if got := f.end(t); got != want {
			t.Error(difference(got, want))
		}
	})
}
