// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/capture"
	"stillwatch/sensor/internal/doctor"
)

// diagnose checks the JSON of a report against its schema and returns the report.
func diagnose(t *testing.T, text string) (r doctor.Report) {
	t.Helper()
	c := jsonschema.NewCompiler()
	s, err := c.Compile(filepath.Join(testneed.Root(t), "docs", "deploy", "doctor.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if err := s.Validate(v); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func levelOf(r doctor.Report, check string) doctor.Level {
	for _, f := range r.Findings {
		if f.Check == check {
			return f.Level
		}
	}
	return "absent"
}

func TestDoctorOfACapture(t *testing.T) {
	file := write(t, sample(t), "a.pcap")
	got := run1(t, "doctor", "--json", file)
	r := diagnose(t, got.out)
	if got.err != "" || r.Source != file || r.Traffic.Frames != uint64(len(sample(t).Frames())) || r.Port != nil || levelOf(r, doctor.CheckMirror) == doctor.Problem {
		t.Errorf("%+v, standard error %q", r, got.err)
	}
	if want := map[doctor.Level]int{doctor.OK: 0, doctor.Note: 0, doctor.Warning: 3, doctor.Problem: 4}[r.Worst]; got.status != want {
		t.Errorf("status %d after %s, want %d", got.status, r.Worst, want)
	}
	table := run1(t, "doctor", file)
	for i, line := range strings.Split(strings.TrimSpace(table.out), "\n") {
		if len(line) > 100 || i > 0 && len(line) > 24 && line[23] != ' ' {
			t.Errorf("line %d does not line up: %q", i, line)
		}
	}
	if table.status != got.status || !strings.HasPrefix(table.out, "CHECK          RESULT   FOUND\n") {
		t.Errorf("status %d, table\n%s", table.status, table.out)
	}
}

func TestDoctorNeedsSomethingToCheck(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{nil, 2, "nothing to check: give --iface IF, a capture, or --kafka BROKERS"},
		{[]string{"--iface", "span0", "a.pcap"}, 2, "give --iface or captures, not both"},
		{[]string{"--iface", "lo", "--seconds", "0"}, 2, "give a number from 1 to 3600, not 0"},
		{[]string{"--iface", "no-such-port"}, 2, "no-such-port"},
		{[]string{"no-such-file.pcap"}, 2, "no-such-file.pcap"},
		{[]string{"--kafka", "nowhere"}, 2, "--kafka nowhere: give host:port"},
	} {
		got := run1(t, append([]string{"doctor"}, c.args...)...)
		if got.status != c.status || !strings.Contains(got.err, c.says) || strings.Count(got.err, "\n") != 1 {
			t.Errorf("%v: status %d, %q", c.args, got.status, got.err)
		}
	}
}

func TestDoctorAsksKafka(t *testing.T) {
	got := run1(t, "doctor", "--json", "--kafka", "127.0.0.1:1")
	r := diagnose(t, got.out)
	if got.status != 4 || r.Worst != doctor.Problem || levelOf(r, doctor.CheckKafka) != doctor.Problem || len(r.Published.Brokers) != 1 {
		t.Errorf("status %d, %+v", got.status, r)
	}
}

// TestDoctorAtAPort checks a port that receives the traffic of an office, with several faults in the setup of the port.
func TestDoctorAtAPort(t *testing.T) {
	n := newSegment(t)
	testneed.Command(t, "ethtool")
	look := func(frames [][]byte) (ran, doctor.Report) {
		cmd := sensor(t, "doctor", "--json", "--iface", "span0", "--seconds", "2")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		n.in(t, cmd.Start)
		over := make(chan struct{})
		go func() {
			defer close(over)
			_ = cmd.Wait() // its status is looked at
		}()
		for going := true; going; {
			n.send(t, frames)
			select {
			case <-over:
				going = false
			case <-time.After(20 * time.Millisecond): // beyond what counts as a duplicate
			}
		}
		return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}, diagnose(t, out.String())
	}
	got, r := look(nil)
	if got.status != 4 || levelOf(r, doctor.CheckTraffic) != doctor.Problem || r.Port == nil || r.Port.Counters.Sent != 0 {
		t.Errorf("no frame arrives, but status %d, %+v", got.status, r)
	}
	frames := storyFrames(t, "benign")
	n.sh(t, "ethtool -K span0 gro on; ip addr add 192.0.2.1/24 dev span0")
	got, r = look(frames)
	if r.Traffic.Unicast == 0 || r.Port.Counters.Received < r.Traffic.Frames || r.Port.Driver != "veth" {
		t.Errorf("%d: %s%+v", got.status, got.err, r)
	}
	for check, want := range map[string]doctor.Level{doctor.CheckTraffic: doctor.OK, doctor.CheckMirror: doctor.OK, doctor.CheckDirections: doctor.OK,
		doctor.CheckOffloads: doctor.Warning, doctor.CheckSilence: doctor.Warning} {
		if level := levelOf(r, check); level != want {
			t.Errorf("%s is %s, want %s: %+v", check, level, want, r.Findings)
		}
	}
}

// storyFrames returns the frames of a story.
func storyFrames(t *testing.T, story string) (all [][]byte) {
	t.Helper()
	src, err := capture.OpenFiles([]string{filepath.Join(testneed.Root(t), "scripts", "stories", "testdata", story, "input.pcap")})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var b capture.Batch
	for src.Next(&b) == nil {
		for _, f := range b.Frames {
			all = append(all, bytes.Clone(b.Data[f.Off:f.Off+f.Len]))
		}
	}
	return all
}

// TestDoctorDropsPrivileges checks every thread of a running doctor.
func TestDoctorDropsPrivileges(t *testing.T) {
	n := newSegment(t)
	d := &deployment{segment: n, cmd: sensor(t, "doctor", "--json", "--iface", "span0", "--seconds", "30")}
	var out bytes.Buffer
	d.cmd.Stdout = &out
	n.in(t, d.cmd.Start)
	waitUntil(t, "the filter of system calls", func() bool {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
		return err == nil && strings.Contains(string(status), "\nSeccomp:\t2\n")
	})
	d.threads(t, 0)
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil { // ends the look early
		t.Fatal(err)
	}
	_ = d.cmd.Wait() // nothing arrived, so it ends with the status of a problem
	if r := diagnose(t, out.String()); d.cmd.ProcessState.ExitCode() != 4 || r.Traffic.ClockSynced == nil || len(r.Port.Modes) != 3 {
		t.Errorf("status %d, %+v, %+v", d.cmd.ProcessState.ExitCode(), r.Traffic, r.Port)
	}
}
