// SPDX-License-Identifier: Apache-2.0

package dispatch_test

import (
	"bufio"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"stillwatch/internal/testneed"
	"stillwatch/sensor/internal/fingerprint"
)

// truthRow is a row of the corpus's ground truth about TLS, QUIC and SSH.
type truthRow struct {
	Capture, Proto, Variant string
	Initiator, Responder    *truthEnd
	JA3, JA3S, JA4, SNI     string
	HASSH                   string
	HASSHServer             string `json:"hassh_server"`
	Client, Server, Auth    string
	Also                    []string
}

type truthEnd struct {
	IP   netip.Addr
	Port uint16
}

// values returns what a row expects, by kind.
func (r *truthRow) values() map[string]string {
	v := map[string]string{"ja3": r.JA3, "ja3s": r.JA3S, "ja4": r.JA4, "sni": r.SNI, "hassh": r.HASSH, "hassh_server": r.HASSHServer,
		"ssh_client": r.Client, "ssh_server": r.Server, "ssh_auth": r.Auth}
	for k, x := range v {
		if x == "" {
			delete(v, k)
		}
	}
	return v
}

// found returns what was read from a session, by kind.
func found(app *fingerprint.App, kind string) string {
	if app == nil {
		return ""
	}
	var hello fingerprint.Hello
	if app.Hello != nil {
		hello = *app.Hello
	}
	var answer fingerprint.ServerHello
	if app.ServerHello != nil {
		answer = *app.ServerHello
	}
	var ssh fingerprint.SSH
	if app.SSH != nil {
		ssh = *app.SSH
	}
	auth := ""
	if ssh.Auth != nil {
		auth = ssh.Auth.Result.String()
	}
	return map[string]string{"ja3": hello.JA3, "ja3s": answer.JA3S, "ja4": hello.JA4, "sni": hello.SNI, "hassh": ssh.HASSH, "hassh_server": ssh.HASSHServer,
		"ssh_client": ssh.Client, "ssh_server": ssh.Server, "ssh_auth": auth}[kind]
}

// truthFloors are the least percentages that must be right.
var truthFloors = map[string]float64{"ja3": 99, "ja3s": 99, "ja4": 99, "sni": 97, "hassh": 100, "hassh_server": 100, "ssh_client": 100, "ssh_server": 100, "ssh_auth": 100}

func TestTLSAndSSHAgainstCorpus(t *testing.T) {
	dir := testneed.Corpus(t)
	byCapture := map[string][]truthRow{}
	for _, name := range []string{"ja3", "ja4", "sni", "hassh", "ssh_banner"} {
		readTruth(t, filepath.Join(dir, "truth", name+".jsonl"), byCapture)
	}
	captures := make([]string, 0, len(byCapture))
	for c := range byCapture {
		captures = append(captures, c)
	}
	sort.Strings(captures)
	right, all := map[string]int{}, map[string]int{}
	for _, c := range captures {
		flows := replay(t, filepath.Join(dir, "captures", c))
		for _, row := range byCapture[c] {
			for kind, want := range row.values() {
				got := row.look(flows, kind)
				if row.Variant != "" && row.Variant != "computed" {
					kind += "_" + row.Variant
				}
				all[kind]++
				if slices.ContainsFunc(append(row.Also, want), func(w string) bool { return slices.Contains(got, w) }) {
					right[kind]++
				} else {
					t.Logf("%s %s %v %v: want %q, got %q", kind, c, row.Initiator, row.Responder, want, got)
				}
			}
		}
	}
	for kind, n := range all {
		t.Logf("%-20s %4d of %4d", kind, right[kind], n)
		if share := 100 * float64(right[kind]) / float64(n); share < truthFloors[kind] {
			t.Errorf("%s: %.2f %% right, want %.2f %%", kind, share, truthFloors[kind])
		}
	}
}

func readTruth(t *testing.T, path string, into map[string][]truthRow) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r truthRow
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		into[r.Capture] = append(into[r.Capture], r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// look returns what was read of a kind in the sessions that the row is about.
func (r *truthRow) look(flows map[replayKey][]*replayFlow, kind string) (got []string) {
	var list []*replayFlow
	if r.Initiator != nil {
		key := replayKeyOf(r.Proto, netip.AddrPortFrom(r.Initiator.IP, r.Initiator.Port), netip.AddrPortFrom(r.Responder.IP, r.Responder.Port))
		list = flows[key]
	} else {
		for _, fs := range flows {
			list = append(list, fs...)
		}
	}
	for _, f := range list {
		if v := found(f.app, kind); v != "" {
			got = append(got, v)
		}
	}
	return got
}
