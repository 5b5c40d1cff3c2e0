// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"stillwatch/internal/testlab/lab"
	"stillwatch/internal/testlab/netns"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// buildPrograms returns the paths of programs of the repository, built for the tests.
func buildPrograms(t *testing.T, packages ...string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for _, p := range packages {
		path, err := testneed.Program(dir, p)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

// runningLab is the process of a running lab and the name of its run.
type runningLab struct {
	*exec.Cmd
	out *os.File
	run string
}

func startLab(t *testing.T, program string) *runningLab {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	s := &runningLab{Cmd: exec.Command(program, "up"), out: out}
	s.Stdout, s.Stderr = out, out
	s.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("Ctrl-C removes it all")) {
			_, rest, _ := strings.Cut(string(text), "stillwatch-lab-")
			s.run, _, _ = strings.Cut(rest, "-")
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("the lab does not start: %s", text)
		}
	}
}

// machines returns the process ids of the machines of a lab.
func machines(t *testing.T, run string) (pids []string) {
	t.Helper()
	names, err := filepath.Glob("/run/netns/stillwatch-lab-" + run + "-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		out, err := exec.Command("ip", "netns", "pids", filepath.Base(n)).Output()
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, strings.Fields(string(out))...)
	}
	return pids
}

// checkExited returns an error if one of the processes runs. A zombie does not count.
func checkExited(pids []string) error {
	for _, p := range pids {
		stat, err := os.ReadFile("/proc/" + p + "/stat")
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			return fmt.Errorf("process %s is still there: %s", p, stat)
		}
	}
	return nil
}

// TestLabLeavesNothing checks that a lab removes everything after a signal, and that `lab clean` removes what a killed lab has left.
func TestLabLeavesNothing(t *testing.T) {
	if err := netns.Needs(); err != nil {
		testneed.Missing(t, "root", "%v", err)
	}
	program := buildPrograms(t, "scripts/lab")[0]
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			s := startLab(t, program)
			pids := machines(t, s.run)
			if len(pids) < 9 {
				t.Fatalf("%d machines", len(pids))
			}
			if err := s.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			err := s.Wait()
			if sig == syscall.SIGKILL {
				out, err := exec.Command(program, "clean").CombinedOutput()
				if err != nil || !strings.Contains(string(out), "removed run "+s.run) {
					t.Errorf("clean: %v: %s", err, out)
				}
			} else if err != nil {
				text, _ := os.ReadFile(s.out.Name())
				t.Errorf("%v: %s", err, text)
			}
			if left, _ := filepath.Glob("/run/*/*" + s.run + "*"); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if err := checkExited(pids); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTagsAndLeases uses a mirror that tags each frame with a VLAN, like RSPAN. In both modes the sensor must report the VLAN of every session, and
// the host name in the workstation's DHCP request.
func TestTagsAndLeases(t *testing.T) {
	if err := netns.Needs(); err != nil {
		testneed.Missing(t, "root", "%v", err)
	}
	programs := buildPrograms(t, "scripts/lab", "sensor")
	s, err := lab.Open(t.Context(), lab.Options{Mirror: netns.Mirror{Way: netns.RSPAN}, Program: programs[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, mode := range []string{"xdp", "afpacket"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			sessions, devices := filepath.Join(dir, "sessions"), filepath.Join(dir, "devices")
			w, err := s.Watch(t.Context(), programs[1], []string{"--mode", mode, "--sessions", sessions, "--devices", devices}, func(schemas.Alert) {})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(12 * time.Second) // the lease is renewed twice
			if err := w.Stop(); err != nil {
				t.Error(err)
			}
			operator := false
			for line := range strings.Lines(text(t, devices)) {
				var d schemas.Device
				if err := json.Unmarshal([]byte(line), &d); err != nil {
					t.Fatal(err)
				}
				operator = operator || d.Key == "mac:"+netns.MachineOf(netns.Operator).MAC && slices.Contains(d.Hostnames, "ws-operator")
			}
			if !operator {
				t.Error("the workstation has no name")
			}
			n := 0
			for line := range strings.Lines(text(t, sessions)) {
				var x schemas.Session
				if err := json.Unmarshal([]byte(line), &x); err != nil {
					t.Fatal(err)
				}
				if n++; !slices.Equal(x.VLANs, []uint16{netns.RemoteVLAN}) {
					t.Errorf("a session in the VLANs %d: %s", x.VLANs, line)
				}
			}
			if n < 5 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
