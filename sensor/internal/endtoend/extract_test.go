// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"stillwatch/schemas"
)

// lastAlert returns the last alert in JSON Lines.
func lastAlert(t *testing.T, text string) (a schemas.Alert) {
	t.Helper()
	all := slices.Collect(strings.Lines(text))
	if len(all) == 0 {
		t.Fatal("no alert")
	}
	if err := json.Unmarshal([]byte(all[len(all)-1]), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestExtract extracts an alert, a session and a device in all the ways in which they can be named.
func TestExtract(t *testing.T) {
	dir := t.TempDir()
	path := write(t, sample(t), "good.pcap")
	inv := put(t, dir, "site.yaml", "version: 1\ndevices:\n  - name: srv-legacy-07\n    match: {ip: 10.20.10.17}\n    expect: silent\n")
	alerts := filepath.Join(dir, "alerts.jsonl")
	if r := run1(t, "replay", "--inventory", inv, "--alerts", alerts, path); r.status != exitOK {
		t.Fatal(r.err)
	}
	a := lastAlert(t, read(t, alerts))
	if a.Session == nil {
		t.Fatal("the alert has no session")
	}
	out := filepath.Join(dir, "out.pcapng")
	get := func(stdin []byte, args ...string) []byte {
		t.Helper()
		cmd := sensor(t, append([]string{"extract", "-o", out}, args...)...)
		cmd.Stdin = bytes.NewReader(stdin)
		r := finish(t, cmd)
		if r.status != exitOK || !strings.Contains(r.out, "out.pcapng: ") || r.err != "" {
			t.Fatalf("%v: exit status %d, %q, %q", args, r.status, r.out, r.err)
		}
		return []byte(read(t, out))
	}
	whole := []byte(read(t, path))
	sum := sha256.Sum256(whole)
	byID := get(nil, "--alert", a.ID, "--alerts", alerts, path)
	for _, text := range []string{"alert " + a.ID + ", rule " + a.Rule.ID, "SHA-256 " + hex.EncodeToString(sum[:]), "good.pcap"} {
		if !bytes.Contains(byID, []byte(text)) {
			t.Errorf("the comment does not have %q", text)
		}
	}
	if again := get(nil, "--alert", a.ID, "--inventory", inv, path); !bytes.Equal(again, byID) {
		t.Error("an alert that is found by replaying the captures gives another file")
	}
	session := get(nil, "--community-id", a.Session.CommunityID, path)
	if r := run1(t, "replay", "--sessions", "-", "--alerts", os.DevNull, out); strings.Count(r.out, "\n") != 1 || !strings.Contains(r.out, a.Session.CommunityID) {
		t.Errorf("the extracted session gives %s", r.out)
	}
	piped := get(whole, "--community-id", a.Session.CommunityID, "-")
	if !bytes.Contains(piped, []byte("standard input, ")) || !bytes.Contains(piped, []byte(hex.EncodeToString(sum[:]))) {
		t.Error("the comment does not describe standard input")
	}
	if packets(t, out) != packetsIn(t, dir, session) {
		t.Error("standard input gives other packets")
	}
	var device []byte
	for _, args := range [][]string{{"10.20.10.17"}, {"srv-legacy-07", "--inventory", inv}, {"ip:10.20.10.17@local"}} {
		got := get(nil, append([]string{path, "--device"}, args...)...)
		if n := packets(t, out); n < 20 || device != nil && n != packetsIn(t, dir, device) {
			t.Errorf("--device %v: %d packets", args, n)
		}
		device = got
	}
	get(nil, "--device", "mac:b8:ca:3a:00:00:17", path)
	if n := packets(t, out); n != packetsIn(t, dir, device)-1 { // the broadcast that asked for its address
		t.Errorf("the MAC of the device has %d packets", n)
	}
}

func packetsIn(t *testing.T, dir string, file []byte) int {
	t.Helper()
	path := filepath.Join(dir, "counted.pcapng")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return packets(t, path)
}

// packets returns the number of packets in an extracted file.
func packets(t *testing.T, path string) (n int) {
	t.Helper()
	r, err := pcapgo.NewNgReader(strings.NewReader(read(t, path)), pcapgo.DefaultNgReaderOptions)
	for ; err == nil; n++ {
		_, _, err = r.ReadPacketData()
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return n - 1
}

// TestExtractErrors checks what a user sees who selects nothing, or would lose a file.
func TestExtractErrors(t *testing.T) {
	dir := t.TempDir()
	path := write(t, sample(t), "good.pcap")
	before := read(t, path)
	out := filepath.Join(dir, "out.pcapng")
	empty := put(t, dir, "none.jsonl", "")
	bad := put(t, dir, "bad.jsonl", "{\"id\":\"someid\",\n")
	for _, c := range []struct {
		name   string
		status int
		args   []string
		want   string
	}{
		{"nothing selected", exitUsage, []string{"-o", out, path}, "give one of --alert, --community-id and --device"},
		{"two selections", exitUsage, []string{"-o", out, "--device", "10.0.0.1", "--alert", "x", path}, "give one of --alert, --community-id and --device"},
		{"no output", exitUsage, []string{"--device", "10.0.0.1", path}, "--output"},
		{"bad Community ID", exitUsage, []string{"-o", out, "--community-id", "1:abc", path}, "a Community ID looks like"},
		{"alerts without an alert", exitUsage, []string{"-o", out, "--device", "10.0.0.1", "--alerts", empty, path}, "give --alert ID"},
		{"a name without an inventory", exitUsage, []string{"-o", out, "--device", "cam-01", path}, "a name needs --inventory"},
		{"bad time", exitUsage, []string{"-o", out, "--device", "10.0.0.1", "--from", "noon", path}, `--from: "noon" is no time`},
		{"end before start", exitUsage, []string{"-o", out, "--device", "10.0.0.1", "--from", "2026-11-30", "--to", "2026-11-29", path}, "the end is before the start"},
		{"over a capture", exitUsage, []string{"-o", path, "--device", "10.0.0.1", path}, "-o would overwrite the capture"},
		{"over the alerts", exitUsage, []string{"-o", empty, "--alert", "x", "--alerts", empty, path}, "-o would overwrite the alerts"},
		{"over a folder", exitUsage, []string{"-o", dir, "--device", "10.0.0.1", path}, "is no regular file"},
		{"a folder that is missing", exitUsage, []string{"-o", filepath.Join(dir, "no", "x.pcapng"), "--device", "10.0.0.1", path}, "no such file"},
		{"an alert of a pipe", exitUsage, []string{"-o", out, "--alert", "x", "-"}, "give files, not -, or --alerts FILE"},
		{"damaged alerts", exitUsage, []string{"-o", out, "--alert", "someid", "--alerts", bad, path}, "bad.jsonl: line 1 is no alert"},
		{"unknown alert in a file", exitIncomplete, []string{"-o", out, "--alert", "x", "--alerts", empty, path}, "no alert has the id x in"},
		{"unknown alert in captures", exitIncomplete, []string{"-o", out, "--alert", "x", path}, "no alert has the id x in these captures"},
		{"nothing matches", exitIncomplete, []string{"-o", out, "--device", "192.0.2.99", path}, "no packet matches; nothing was written"},
	} {
		r := run1(t, append([]string{"extract"}, c.args...)...)
		if r.status != c.status || !strings.Contains(r.err, c.want) || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: exit status %d, %q", c.name, r.status, r.err)
		}
	}
	if read(t, path) != before {
		t.Error("the capture was changed")
	}
	found, err := filepath.Glob(filepath.Join(dir, "*extract*"))
	if _, e := os.Stat(out); err != nil || len(found) > 0 || e == nil {
		t.Errorf("a failed extraction left files: %v", found)
	}
}

// TestExtractFromADamagedCapture checks that the packets before the damage are extracted, and that the damage is told.
func TestExtractFromADamagedCapture(t *testing.T) {
	whole := read(t, write(t, sample(t), "good.pcap"))
	dir := t.TempDir()
	cut := put(t, dir, "cut.pcap", whole[:len(whole)-10])
	out := filepath.Join(dir, "out.pcapng")
	r := run1(t, "extract", "--device", "10.20.10.17", "-o", out, cut)
	if r.status != exitIncomplete || !strings.Contains(r.err, "the file ends within a record") || packets(t, out) < 20 {
		t.Errorf("exit status %d, %q", r.status, r.err)
	}
}
