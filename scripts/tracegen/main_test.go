// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	story, flood, again := filepath.Join(dir, "story.pcap"), filepath.Join(dir, "flood.pcap"), filepath.Join(dir, "again.pcap")
	if err := run([]string{"-kind", "office", "-sessions", "100", "-packets", "2000", "-o", story}); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{flood, again} {
		if err := run([]string{"-kind", "synflood", "-packets", "1000", "-seed", "7", "-story", story, "-o", out}); err != nil {
			t.Fatal(err)
		}
	}
	one, err := os.ReadFile(flood)
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(again)
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("the same flags give other bytes (%v)", err)
	}
}

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.pcap")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"name one file with -o", nil},
		{"name one file with -o", []string{"-o", out, "more"}},
		{"unknown kind", []string{"-kind", "calm", "-o", out}},
		{"no such file", []string{"-story", filepath.Join(dir, "none"), "-o", out}},
		{"is a directory", []string{"-o", dir}},
	} {
		if err := run(c.args); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.args, err)
		}
	}
}
