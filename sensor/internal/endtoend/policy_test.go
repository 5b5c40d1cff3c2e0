// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stillwatch/schemas"
)

// policyRecord returns the record of a policy about the server of sample, which should be silent.
func policyRecord(id string, version int, fields string) string {
	return fmt.Sprintf(`{"schema":"stillwatch.policy/1","id":%q,"version":%d,"device":{"ip":"10.20.10.17"},"reason":"test","author":"a.analyst","created":"2026-03-01T00:00:00Z",%s}`,
		id, version, fields)
}

const suppressAll = `"kind":"suppress"`

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// signer makes a key, and the configuration of a sensor that trusts it.
func signer(t *testing.T) (key, config string) {
	t.Helper()
	key = filepath.Join(t.TempDir(), "analyst.jwk")
	r := run1(t, "policy", "keygen", "--name", "analyst", key)
	if r.status != exitOK || !strings.HasPrefix(r.out, "policy:\n") {
		t.Fatalf("keygen: status %d: %s%s", r.status, r.out, r.err)
	}
	return key, file(t, "sensor.yaml", "version: 1\n"+r.out)
}

func signWith(t *testing.T, key, records string) string {
	t.Helper()
	r := run1(t, "policy", "sign", "--key", key, file(t, "records.json", records))
	if r.status != exitOK {
		t.Fatalf("sign: status %d: %s", r.status, r.err)
	}
	return r.out
}

func TestPolicyCommands(t *testing.T) {
	key, config := signer(t)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key: %v %v", info.Mode(), err)
	}
	secret, _, _ := strings.Cut(strings.SplitN(read(t, key), `"d":"`, 2)[1], `"`)
	other, _ := signer(t)
	records := policyRecord("one", 1, suppressAll) + "\n" + policyRecord("two", 3, `"kind":"expect","expect":"normal","scope":{"site":"lab"}`)
	mine, foreign := file(t, "mine.jws", signWith(t, key, records)), file(t, "foreign.jws", signWith(t, other, policyRecord("one", 1, suppressAll)))
	for _, c := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{"verify", "--config", config, mine}, exitOK, []string{"one  1        suppress  taken", "two  3        expect    for other sensors"}},
		{[]string{"verify", "--config", config, mine, mine}, exitOK, []string{"one  1        suppress  is there already"}},
		{[]string{"verify", "--config", config, foreign}, 1, []string{"refused: its key"}},
		{[]string{"show", mine}, exitOK, []string{"one  1        suppress  all sensors  10.20.10.17  all sessions  never", "lab"}},
		{[]string{"show", "--json", mine}, exitOK, []string{`"id":"two"`}},
		{[]string{"keygen", key}, exitUsage, []string{"exists: give a new file"}},
		{[]string{"sign", "--key", mine, mine}, exitUsage, []string{"it is no private Ed25519 key"}},
		{[]string{"sign", "--key", key, mine}, exitUsage, []string{"signed already"}},
		{[]string{"sign", "--key", key, file(t, "bad.json", `{"id":"x"}`)}, exitUsage, []string{"policy 1, after line 1: policy record:"}},
		{[]string{"show", filepath.Join(t.TempDir(), "none")}, exitUsage, []string{"no such file"}},
		{[]string{"show", key}, exitUsage, []string{"policy 1"}}, // a JWK is JSON, but no policy
	} {
		r := run1(t, append([]string{"policy"}, c.args...)...)
		for _, want := range c.want {
			if !strings.Contains(r.out+r.err, want) || r.status != c.status {
				t.Errorf("%q: status %d, without %q:\n%s%s", c.args, r.status, want, r.out, r.err)
			}
		}
		if strings.Contains(r.out+r.err, secret) {
			t.Errorf("%q shows the private key", c.args)
		}
		if c.status == exitUsage && strings.Count(r.err, "\n") != 1 {
			t.Errorf("%q: more than one line: %s", c.args, r.err)
		}
	}
}

// alertsIn returns the last revision of each alert in a file.
func alertsIn(t *testing.T, path string) map[string]schemas.Alert {
	t.Helper()
	all := map[string]schemas.Alert{}
	for line := range strings.Lines(read(t, path)) {
		var a schemas.Alert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		all[a.ID] = a
	}
	return all
}

func TestReplayWithPolicies(t *testing.T) {
	key, config := signer(t)
	capture := write(t, sample(t), "a.pcap")
	for _, c := range []struct {
		name, policies string
		args           []string
		status         int
		suppressed     bool
		d44            bool
		err            string
	}{
		{"signed", signWith(t, key, policyRecord("p", 1, suppressAll)), []string{"--config", config}, exitOK, true, false, "policy taken"},
		{"signed, of an unknown key", signWith(t, key, policyRecord("p", 1, suppressAll)), nil, exitOK, false, true, "untrusted_key"},
		{"a record", policyRecord("p", 1, suppressAll), nil, exitOK, true, false, "policy taken"},
		{"for another sensor", policyRecord("p", 1, suppressAll+`,"scope":{"sensors":["other"]}`), nil, exitOK, false, false, "replay finished"},
		{"no policy", "hello\n", nil, exitUsage, false, false, "line 1"},
		{"nothing", "", nil, exitUsage, false, false, "it has no policy"},
	} {
		out := filepath.Join(t.TempDir(), "alerts.jsonl")
		r := run1(t, append([]string{"replay", "--silent", "10.20.10.17", "--policy", file(t, "p", c.policies), "--alerts", out, capture}, c.args...)...)
		if r.status != c.status || !strings.Contains(r.err, c.err) {
			t.Errorf("%s: status %d: %s", c.name, r.status, r.err)
		}
		if c.status != exitOK {
			continue
		}
		seen, d44 := 0, false
		for _, a := range alertsIn(t, out) {
			switch {
			case a.Rule.ID == "D44":
				d44 = true
			case a.Device.Key == "10.20.10.17" || a.Device.IP.String() == "10.20.10.17":
				if seen++; (a.SuppressedBy == "p") != c.suppressed || (a.Sensor.PolicyHash != "") != c.suppressed {
					t.Errorf("%s: %s is suppressed by %q, hash %q", c.name, a.Title, a.SuppressedBy, a.Sensor.PolicyHash)
				}
			}
		}
		if seen == 0 || d44 != c.d44 {
			t.Errorf("%s: %d alerts, D44 %v", c.name, seen, d44)
		}
	}
	if r := run1(t, "run", "--iface", "lo", "--policy", file(t, "p", policyRecord("p", 1, suppressAll))); r.status != exitUsage || !strings.Contains(r.err, "the policies are not signed") {
		t.Errorf("run with records: status %d: %s", r.status, r.err)
	}
}

func TestWhatIf(t *testing.T) {
	capture := write(t, sample(t), "a.pcap")
	whatIf := func(policies string, args ...string) ran {
		return run1(t, append([]string{"replay", "--silent", "10.20.10.17", "--what-if", file(t, "p", policies), capture}, args...)...)
	}
	allow := whatIf(policyRecord("p", 1, `"kind":"expect","expect":"normal"`))
	if allow.status != exitOK || !strings.Contains(allow.out, "removed") || !strings.Contains(allow.out, "D01") || strings.Contains(allow.out, "added") {
		t.Errorf("expect: status %d: %s%s", allow.status, allow.out, allow.err)
	}
	quiet := whatIf(policyRecord("p", 1, suppressAll+`,"rules":["D01"]`))
	head, rows, _ := strings.Cut(quiet.out, "\n")
	if quiet.status != exitOK || !strings.HasPrefix(head, "SEVERITY") || !strings.Contains(rows, "suppressed  D01") {
		t.Errorf("suppress: status %d: %s%s", quiet.status, quiet.out, quiet.err)
	}
	none := whatIf(policyRecord("p", 1, suppressAll+`,"rules":["D24"]`))
	if none.status != exitOK || !strings.HasSuffix(none.out, "; none differs\n") || strings.Count(none.out, "\n") != 1 {
		t.Errorf("another rule: status %d: %s%s", none.status, none.out, none.err)
	}
	for args, want := range map[string]string{"--alerts=x": "omit --alerts", "--state=x": "no such file", "--kafka=127.0.0.1:1": "omit --kafka", "-": "give files, not -"} {
		if r := whatIf(policyRecord("p", 1, suppressAll), args); r.status != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%s: status %d: %s", args, r.status, r.err)
		}
	}
	if r := run1(t, "replay", "--what-if", capture, capture); r.status != exitUsage {
		t.Errorf("a capture as policies: status %d: %s", r.status, r.err)
	}
}

// TestPoliciesOfAState saves policies with a replay, lists them, and compares alerts from that state on, which stays as it is.
func TestPoliciesOfAState(t *testing.T) {
	key, config := signer(t)
	state := filepath.Join(t.TempDir(), "state.db")
	signed := file(t, "p.jws", signWith(t, key, policyRecord("quiet", 2, suppressAll+`,"rules":["D01"]`)))
	out := func(args ...string) string {
		t.Helper()
		r := run1(t, args...)
		if r.status != exitOK {
			t.Fatalf("%q: status %d: %s", args, r.status, r.err)
		}
		return r.out
	}
	alerts := filepath.Join(t.TempDir(), "alerts")
	out("replay", "--config", config, "--policy", signed, "--state", state, "--alerts", alerts, write(t, fortnight(0, 2), "a.pcap"))
	wants(t, out("policy", "show", "--state", state), "quiet  2        suppress")
	wants(t, out("policy", "show", "--json", "--state", state), `"id":"quiet"`)

	before := read(t, state)
	capture := write(t, sampleFrom(began().AddDate(0, 0, 3)), "b.pcap")
	back := file(t, "back", strings.Replace(policyRecord("quiet", 3, `"kind":"retire"`), `"device":{"ip":"10.20.10.17"},`, "", 1))
	wants(t, out("replay", "--silent", "10.20.10.17", "--config", config, "--state", state, "--what-if", back, capture), "added", "D01")
	wants(t, out("replay", "--silent", "10.20.10.17", "--config", config, "--what-if", back, capture), "none differs") // without the state there is no such policy
	if read(t, state) != before {
		t.Error("--what-if has changed the state file")
	}
	for args, want := range map[string]string{"": "give a file", "--state=" + capture: "no state file", "--state=" + state + ".none": "no such file"} {
		r := run1(t, slices.DeleteFunc([]string{"policy", "show", args}, func(s string) bool { return s == "" })...)
		if r.status != exitUsage || !strings.Contains(r.err, want) {
			t.Errorf("%q: status %d: %s", args, r.status, r.err)
		}
	}
}
