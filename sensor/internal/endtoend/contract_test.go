// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/netsim"
)

const (
	cameraKey = "mac:b8:ca:3a:00:00:31"
	cloudName = "out tcp 443 tls to api.cloudcam.example"
)

// fortnight has a camera that calls a cloud service three times a day, and is asked for pictures by a recorder, for so many days from a day on.
func fortnight(from, days int) *netsim.Net {
	n := netsim.New(1)
	n.Router("10.20.1.1", "00:1b:54:00:00:01")
	camera := n.Host("camera", "10.20.10.31", "b8:ca:3a:00:00:31", netsim.Linux)
	recorder := n.Host("recorder", "10.20.10.11", "b8:ca:3a:00:00:11", netsim.Linux)
	dns := n.Host("dns", "10.20.1.2", "b8:ca:3a:00:00:02", netsim.Linux)
	cloud := n.External("198.51.100.20", netsim.Linux, 40*time.Millisecond)
	for d := range days {
		at := began().Truncate(24 * time.Hour).Add(time.Duration(from+d) * 24 * time.Hour)
		for i := range 3 {
			at = at.Add(time.Duration(3+i+(from+d)%2) * time.Hour)
			t := n.ARP(at, camera, dns)
			t = n.Lookup(t, camera, dns, "api.cloudcam.example", "198.51.100.20")
			c := n.DialTLS(t.Add(time.Millisecond), camera, cloud, 443, netsim.TLSClient{SNI: "api.cloudcam.example"}, netsim.TLSServer{})
			c.Records(netsim.Client, 900)
			c.Close()
			n.Dial(at.Add(time.Minute), recorder, camera, 80).HTTP(netsim.Request{Method: "GET", URI: "/picture"}, netsim.Response{Status: 200}).Close()
		}
	}
	return n
}

// visit has the camera of fortnight call a server by its name in the evening of a day.
func visit(n *netsim.Net, day int, name, address string) {
	camera, dns := n.Host("camera", "10.20.10.31", "b8:ca:3a:00:00:31", netsim.Linux), n.Host("dns", "10.20.1.2", "b8:ca:3a:00:00:02", netsim.Linux)
	at := began().Truncate(24 * time.Hour).Add(time.Duration(day)*24*time.Hour + 20*time.Hour + time.Duration(len(name))*time.Minute)
	t := n.Lookup(at, camera, dns, name, address)
	far := n.External(address, netsim.Linux, 40*time.Millisecond)
	c := n.DialTLS(t.Add(time.Millisecond), camera, far, 443, netsim.TLSClient{SNI: name}, netsim.TLSServer{})
	c.Records(netsim.Client, 900)
	c.Close()
}

// learned replays 14 days into a state file, which it returns.
func learned(t *testing.T) string {
	t.Helper()
	state := filepath.Join(t.TempDir(), "state.db")
	if r := run1(t, "replay", "--state", state, "--alerts", filepath.Join(t.TempDir(), "alerts.jsonl"), write(t, fortnight(0, 14), "a.pcap")); r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	return state
}

// contractRun runs a command that must end with a status, and returns what it printed.
func contractRun(t *testing.T, status int, args ...string) string {
	t.Helper()
	r := run1(t, append([]string{"contract"}, args...)...)
	if r.status != status || status != exitUsage && r.err != "" {
		t.Errorf("%q: exit status %d, want %d: %s", args, r.status, status, r.err)
	}
	if status == exitUsage && (r.out != "" || strings.Count(r.err, "\n") != 1) {
		t.Errorf("%q: not one line on standard error: %q, %q", args, r.out, r.err)
	}
	if status == exitUsage {
		return r.err
	}
	return r.out
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

// TestContractCommands changes contracts in a state file by each of the commands, and looks at the result.
func TestContractCommands(t *testing.T) {
	state := learned(t)
	do := func(status int, command string, args ...string) string {
		t.Helper()
		return contractRun(t, status, append([]string{command, state}, args...)...)
	}
	wants(t, do(exitOK, "show"), "DEVICE", cameraKey, "review since ")
	wants(t, do(exitOK, "show", cameraKey), "38 ", "13 ", cloudName+"\n", "in tcp 80 http from inside\n")

	was := filepath.Join(t.TempDir(), "was.yaml")
	text := do(exitOK, "export")
	if err := os.WriteFile(was, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, do(exitOK, "export", cameraKey), "- device: "+cameraKey, "state: review", "entry: "+cloudName)
	if got := do(exitOK, "diff", was); got != "" {
		t.Errorf("a contract differs from itself: %s", got)
	}

	do(exitOK, "arm", cameraKey)
	do(exitOK, "approve", cameraKey, "out tcp 8443 tls to *.vendor.example", "--hours", "mon-fri 08-18")
	do(exitOK, "approve", cameraKey, "out udp 123 to 203.0.113.0/24", "--refuse")
	wants(t, do(exitIncomplete, "diff", was), "+ "+cameraKey+": armed\n", "- "+cameraKey+": review\n",
		"+ "+cameraKey+": out tcp 8443 tls to *.vendor.example (approved), hours mon-fri 08-18\n", "out udp 123 to 203.0.113.0/24 (approved), refused\n")
	do(exitOK, "freeze", cameraKey)
	wants(t, do(exitOK, "show", cameraKey), "frozen since ", "by an analyst", "mon-fri 08-18    out tcp 8443", "refused 0 times", cloudName)

	do(exitOK, "import", was)
	if got := do(exitOK, "diff", was); got != "" {
		t.Errorf("after the import: %s", got)
	}
	wants(t, do(exitOK, "show", cameraKey), "38 ", cloudName) // the counts are kept

	do(exitOK, "relearn", cameraKey)
	wants(t, do(exitOK, "show", cameraKey), "learning since ", "0 candidates")
	if left, _ := filepath.Glob(state + ".*"); len(left) > 0 {
		t.Errorf("the commands leave %q", left)
	}
}

// TestSensorContinuesWithContracts arms a contract in a state file, and has the sensor continue: a new destination is reported by D01.
func TestSensorContinuesWithContracts(t *testing.T) {
	state := learned(t)
	contractRun(t, exitOK, "arm", state, cameraKey)
	contractRun(t, exitOK, "approve", state, cameraKey, "out tcp 443 tls to new.vendor.example")
	n := fortnight(14, 1)
	visit(n, 14, "new.vendor.example", "198.51.100.60")
	visit(n, 14, "c2.intruder.example", "203.0.113.9")
	r := run1(t, "replay", "--state", state, "--alerts", "-", write(t, n, "b.pcap"))
	if r.status != exitOK || strings.Contains(r.out, "new.vendor.example") {
		t.Errorf("exit status %d: %s\n%s", r.status, r.err, r.out)
	}
	wants(t, r.out, `"id":"D01"`, "c2.intruder.example", "learned")
}

// TestContractErrors checks that a mistake is one clear line, and changes nothing.
func TestContractErrors(t *testing.T) {
	state := learned(t)
	before, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("contracts: [{device: a, state: asleep}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"show", state + ".none"}, "no such file"},
		{[]string{"show", bad}, "no state file"},
		{[]string{"show", empty}, "nothing has been saved"},
		{[]string{"show", state, "cam-9"}, `no contract of device "cam-9"`},
		{[]string{"export", state, "cam-9"}, `no contract of device "cam-9"`},
		{[]string{"arm", state, "cam-9"}, "'contract show' lists the keys"},
		{[]string{"freeze", state, "cam-9"}, "no contract"},
		{[]string{"relearn", state, "cam-9"}, "no contract"},
		{[]string{"approve", state, "cam-9", cloudName}, "no contract"},
		{[]string{"approve", state, cameraKey, "tcp 443"}, "an entry looks like"},
		{[]string{"approve", state, cameraKey, "out tcp 443 to *.co.uk"}, "many owners"},
		{[]string{"approve", state, cameraKey, cloudName, "--hours", "always"}, "hours look like"},
		{[]string{"import", state, bad}, `unknown state "asleep"`},
		{[]string{"import", state, bad + ".none"}, "no such file"},
		{[]string{"diff", state, state}, "state.db: [1:1]"},
	} {
		wants(t, contractRun(t, exitUsage, c.args...), c.want)
	}
	if after, err := os.ReadFile(state); err != nil || string(after) != string(before) {
		t.Errorf("the state file has changed: %v", err)
	}
}
