// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCapturesInAnyOrder replays captures that start at the same time, an empty file and a copy, in several orders: the records are the same,
// and the skipped files are reported.
func TestCapturesInAnyOrder(t *testing.T) {
	raw := []byte(read(t, write(t, sample(t), "whole.pcap")))
	first := 40 + int(pcapOrder(raw).Uint32(raw[32:])) // the head of the file and the first packet
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "a.pcap"), filepath.Join(dir, "b.pcap"), filepath.Join(dir, "c.pcap.gz"), filepath.Join(dir, "d.pcap")}
	for i, data := range [][]byte{raw, raw[:first], gzipped(t, raw), nil} {
		if err := os.WriteFile(files[i], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options := []string{"--silent", "10.20.10.17"}
	want := told(t, append(options, files...)...)
	if !strings.Contains(want, `"D01"`) {
		t.Errorf("no alert: %s", want)
	}
	for _, order := range [][]int{{3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}, {2, 1, 1, 0, 3, 0}} {
		var given []string
		for _, i := range order {
			given = append(given, files[i])
		}
		if got := told(t, append(slices.Clone(options), given...)...); got != want {
			t.Errorf("%v: %s", order, difference(got, want))
		}
	}
	for _, command := range []string{"replay", "devices", "doctor"} {
		r := run1(t, append([]string{command}, files...)...)
		if !strings.Contains(r.err, files[3]+`","reason":"it is empty"`) || !strings.Contains(r.err, files[2]+`","reason":"it holds the same packets as `+files[0]) {
			t.Errorf("%s, status %d: %s", command, r.status, r.err)
		}
		if r := run1(t, command, files[3]); r.status != exitUsage || !strings.Contains(r.err, files[3]+": not a capture: empty") {
			t.Errorf("%s of an empty file, status %d: %s", command, r.status, r.err)
		}
	}
}

// TestFolders replays the same captures by their names, by a folder, and by a pattern, with every command: the records are the same.
func TestFolders(t *testing.T) {
	dir := t.TempDir()
	raw := []byte(read(t, write(t, sample(t), "whole.pcap")))
	first := 40 + int(pcapOrder(raw).Uint32(raw[32:]))
	second := append(slices.Clone(raw[:24]), raw[first:]...)
	for name, data := range map[string][]byte{"a.pcap": raw[:first], "day 2/b.pcap.gz": gzipped(t, second), "day 2/notes.txt": []byte("notes")} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options := []string{"--silent", "10.20.10.17"}
	want := told(t, append(options, filepath.Join(dir, "a.pcap"), filepath.Join(dir, "day 2", "b.pcap.gz"))...)
	if !strings.Contains(want, `"D01"`) {
		t.Errorf("no alert: %s", want)
	}
	for _, given := range [][]string{{dir}, {filepath.Join(dir, "*")}, {filepath.Join(dir, "day*"), filepath.Join(dir, "[a]*")}} {
		if got := told(t, append(slices.Clone(options), given...)...); got != want {
			t.Errorf("%v: %s", given, difference(got, want))
		}
	}
	for _, command := range [][]string{{"replay"}, {"devices"}, {"report"}, {"doctor"}, {"inventory", "suggest"}} {
		r := run1(t, append(command, dir)...)
		if r.status == exitUsage || !strings.Contains(r.err, "1 file in it is not a capture: day 2/notes.txt") {
			t.Errorf("%v, status %d: %s", command, r.status, r.err)
		}
	}
}
