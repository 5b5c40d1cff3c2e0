// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestExitStatuses runs each command that reads captures with the mistakes that docs/replay.md and docs/deploy/doctor.md list. Each prints one line, apart from the doctor, which
// reports a cut capture among its findings.
func TestExitStatuses(t *testing.T) {
	good := write(t, sample(t), "good.pcap")
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.pcap")
	closed := filepath.Join(t.TempDir(), "closed.pcap")
	if err := os.WriteFile(cut, b[:len(b)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(closed, b, 0); err != nil {
		t.Fatal(err)
	}
	const doctorWarns = 3
	for _, command := range []string{"replay", "devices", "report", "doctor", "inventory suggest"} {
		cutStatus := 1
		if command == "doctor" {
			cutStatus = doctorWarns
		}
		for _, c := range []struct {
			name   string
			args   []string
			status int
			says   string
		}{
			{"wrong flag", []string{"--wrong", good}, exitUsage, "unknown flag --wrong; see 'stillwatch-sensor " + command + " --help'"},
			{"missing file", []string{good + ".none"}, exitUsage, "good.pcap.none: no such file or directory"},
			{"file without permission", []string{closed}, exitUsage, "closed.pcap: permission denied"},
			{"cut capture", []string{cut}, cutStatus, "cut.pcap: broken at packet"},
		} {
			t.Run(command+", "+c.name, func(t *testing.T) {
				cmd := sensor(t, append(strings.Fields(command), c.args...)...)
				if c.args[0] == closed && os.Geteuid() == 0 { // root may read every file
					cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
				}
				r := finish(t, cmd)
				if r.status != c.status {
					t.Errorf("exit status %d, want %d: %s", r.status, c.status, r.err)
				}
				if command == "doctor" && c.args[0] == cut {
					return
				}
				if !strings.Contains(r.err, c.says) || strings.Contains(r.err, "goroutine ") {
					t.Errorf("%q is not in: %s", c.says, r.err)
				}
			})
		}
	}
}
