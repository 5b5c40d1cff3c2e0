// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stillwatch/schemas"
)

// TestReviewProposesAndAlertsNothing has a device do something new while its contract is reviewed, and after it was armed: only then is there an alert.
// Before, the session is a proposed entry, which can be deleted as every other.
func TestReviewProposesAndAlertsNothing(t *testing.T) {
	state := learned(t)
	wants(t, contractRun(t, exitOK, "review", state), "leads outside", cloudName)
	replay := func(day int, name string) string {
		t.Helper()
		n := fortnight(day, 1)
		visit(n, day, name, "203.0.113.9")
		r := run1(t, "replay", "--state", state, "--alerts", "-", write(t, n, "a.pcap"))
		if r.status != exitOK {
			t.Fatalf("exit status %d: %s", r.status, r.err)
		}
		return r.out
	}
	const added = "out tcp 443 tls to c2.intruder.example"
	if out := replay(14, "c2.intruder.example"); strings.Contains(out, `"id":"D03"`) || strings.Contains(out, `"id":"D01"`) {
		t.Errorf("a contract in review raises an alert: %s", out)
	}
	wants(t, contractRun(t, exitOK, "review", state), "proposed", added)
	wants(t, contractRun(t, exitOK, "show", state, cameraKey), "1 proposed; 1 sessions outside", "proposed  "+added)
	for _, e := range []string{added, cloudName, "in tcp 80 http from inside"} {
		contractRun(t, exitOK, "delete", state, cameraKey, e)
		wants(t, contractRun(t, exitUsage, "delete", state, cameraKey, e), "no entry")
	}
	contractRun(t, exitOK, "approve", state, cameraKey, cloudName)
	contractRun(t, exitOK, "arm", state, cameraKey)
	wants(t, replay(15, "other.intruder.example"), `"id":"D01"`, "nearest: "+cloudName+" (approved)")
	wants(t, contractRun(t, exitUsage, "delete", state, cameraKey, "tcp"), "an entry looks like")
}

// TestRefusedSessionsAreReported has an entry refuse sessions: no alert, and the report lists them.
func TestRefusedSessionsAreReported(t *testing.T) {
	state := learned(t)
	const refused = "out tcp 443 tls to ads.vendor.example"
	contractRun(t, exitOK, "approve", state, cameraKey, refused, "--refuse")
	contractRun(t, exitOK, "arm", state, cameraKey)
	n := fortnight(14, 1)
	visit(n, 14, "ads.vendor.example", "198.51.100.61")
	capture := write(t, n, "a.pcap")
	before := read(t, state)
	wants(t, run1(t, "report", "--state", state, capture).out, "refused", "1 session without an alert: "+refused, " armed, 2 entries")
	wants(t, run1(t, "devices", "--state", state, capture).out, "CONTRACT", "armed, 2 entries")
	wants(t, run1(t, "devices", write(t, fortnight(0, 1), "first.pcap")).out, "observing")
	if read(t, state) != before {
		t.Error("a report changes the state file")
	}
	if r := run1(t, "replay", "--state", state, "--alerts", "-", capture); r.status != exitOK || strings.Contains(r.out, "ads.vendor.example") {
		t.Errorf("exit status %d: %s", r.status, r.out)
	}
	wants(t, contractRun(t, exitOK, "show", state, cameraKey), "refused 1 times")
	for _, command := range []string{"report", "devices"} {
		if r := run1(t, command, "--state", state+".none", capture); r.status != exitUsage || !strings.Contains(r.err, "no such file") {
			t.Errorf("%s: status %d: %s", command, r.status, r.err)
		}
	}
}

// TestMUDCommands checks, imports and exports MUD files: an alert about what the file does not allow names the nearest ACE.
func TestMUDCommands(t *testing.T) {
	state, file := learned(t), filepath.Join("..", "contract", "testdata", "lightbulb.json")
	wants(t, contractRun(t, exitOK, "check-mud", file), "https://lighting.example.com/lightbulb2000", "ACL mud-76100-v6fr, ACE cl0-frdev  out tcp 443 to test.example.com")
	contractRun(t, exitOK, "relearn", state, cameraKey)
	contractRun(t, exitOK, "import-mud", state, cameraKey, file)
	contractRun(t, exitOK, "import-mud", state, "mac:02:00:00:00:00:01", file)
	wants(t, contractRun(t, exitOK, "show", state), "mac:02:00:00:00:00:01  learning")
	contractRun(t, exitOK, "arm", state, cameraKey)
	wants(t, contractRun(t, exitOK, "show", state, cameraKey), "mud ", "ACL mud-76100-v6fr, ACE cl0-frdev")
	out := filepath.Join(t.TempDir(), "alerts")
	if r := run1(t, "replay", "--state", state, "--alerts", out, write(t, fortnight(14, 1), "b.pcap")); r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	named := false
	for _, a := range alertsIn(t, out) {
		named = named || a.Rule.ID == "D01" && strings.Contains(a.Device.Contract, "nearest: out tcp 443 to test.example.com (mud, ACL mud-76100-v6fr, ACE cl0-frdev)")
	}
	if !named {
		t.Errorf("no alert names the ACE: %s", read(t, out))
	}
	var exported map[string]any
	if err := json.Unmarshal([]byte(contractRun(t, exitOK, "export-mud", state, cameraKey, "--url", "https://example.com/cam.json")), &exported); err != nil || exported["ietf-mud:mud"] == nil || exported["ietf-access-control-list:acls"] == nil {
		t.Errorf("%v: %v", err, exported)
	}
	mine := filepath.Join(t.TempDir(), "mine.json")
	text := strings.Replace(read(t, file), `"ipv6": {`, `"ietf-mud:mud": {"my-controller": [null]}, "ipv6": {`, 2)
	text = strings.NewReplacer(`"ietf-acldns:dst-dnsname": "test.example.com",`, "", `"ietf-acldns:src-dnsname": "test.example.com",`, "").Replace(text)
	if err := os.WriteFile(mine, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, contractRun(t, exitOK, "check-mud", mine, "--controller", "my-controller=10.20.1.9"), "out tcp 443 to 10.20.1.9")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"check-mud", mine}, `who is the controller "my-controller"`},
		{[]string{"check-mud", mine, "--controller", "me"}, "it looks like my-controller=10.20.1.9"},
		{[]string{"check-mud", mine, "--controller", "my-controller=nobody"}, "a peer is"},
		{[]string{"check-mud", state}, "no MUD file"},
		{[]string{"import-mud", state, cameraKey, mine + ".none"}, "no such file"},
		{[]string{"export-mud", state, cameraKey, "--url", "ftp://x.example"}, "no https URL"},
		{[]string{"export-mud", state, "cam-9", "--url", "https://x.example/y"}, "no contract"},
	} {
		wants(t, contractRun(t, exitUsage, c.args...), c.want)
	}
}

// TestContractsSurviveAKill kills a sensor that has learned for 14 days with SIGKILL, and compares its contracts with those of one that ended by itself.
func TestContractsSurviveAKill(t *testing.T) {
	raw := []byte(read(t, write(t, fortnight(0, 15), "a.pcap")))
	packets := packetsOf(t, raw)
	begin := began().Truncate(24 * time.Hour).Add(14 * 24 * time.Hour).UnixNano()
	i := slices.IndexFunc(packets, func(p packetAt) bool { return p.time >= begin })
	tmp := t.TempDir()
	whole, killed := filepath.Join(tmp, "whole.db"), filepath.Join(tmp, "killed.db")
	tick := tickAt(raw, packets[i].at)
	first := save(t, tmp, [][]byte{slices.Concat(raw[:packets[i].at], tick)})
	if r := run1(t, append([]string{"replay", "--state", whole, "--alerts", filepath.Join(tmp, "alerts")}, first...)...); r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	killedWhenSaved(t, killed, raw[:packets[i].at], tick, "--alerts", filepath.Join(tmp, "first"))
	want := contractRun(t, exitOK, "export", whole)
	wants(t, want, "state: review", cloudName)
	if got := contractRun(t, exitOK, "export", killed); got != want {
		t.Errorf("after SIGKILL:\n%s\nwant\n%s", got, want)
	}
	rest := save(t, t.TempDir(), [][]byte{slices.Concat(raw[:24], raw[packets[i].at:])})
	if r := run1(t, append([]string{"replay", "--state", killed, "--alerts", filepath.Join(tmp, "second")}, rest...)...); r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	wants(t, contractRun(t, exitOK, "show", killed, cameraKey), "review since", cloudName)
}

// TestContractInTheRecord reads the state of a contract in the record of a device.
func TestContractInTheRecord(t *testing.T) {
	state := learned(t)
	r := run1(t, "devices", "--json", "--state", state, write(t, fortnight(14, 1), "a.pcap"))
	if r.status != exitOK {
		t.Fatalf("exit status %d: %s", r.status, r.err)
	}
	for line := range strings.Lines(r.out) {
		var d schemas.Device
		if err := schemas.Validate(schemas.KindDevice, []byte(line)); err != nil {
			t.Error(err)
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		c := d.Contract
		switch {
		case c == nil:
			t.Errorf("%s has no contract", d.Key)
		case d.Key == cameraKey && (c.State != "review" || c.Entries["learned"] != 2 || c.LastUse == nil || c.Unseen == nil || *c.Unseen != 0):
			t.Errorf("%+v", c)
		}
	}
}
