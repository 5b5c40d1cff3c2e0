// SPDX-License-Identifier: Apache-2.0

package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes files into a folder.
func tree(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// secondsOf returns the seconds of the packets of all captures, in the order in which they are read.
func secondsOf(t *testing.T, paths ...string) (string, []Skipped) {
	t.Helper()
	f, err := OpenFiles(paths)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var secs []int64
	for _, g := range drain(t, f) {
		secs = append(secs, g.Time/1e9)
	}
	return fmt.Sprint(secs), f.Skipped()
}

func TestFolder(t *testing.T) {
	dir := tree(t, map[string][]byte{
		"a/late.pcap": at(30), "b/c/early": at(10), "b/packed.doc": gzipped(t, at(20)), "b/case.zip": zipped(t, stored{"x", at(40)}),
		"readme.txt": []byte("text"), "b/empty": nil, "b/broken.docx": []byte("PK\x03\x04 and no archive"),
		".hidden.pcap": at(50), ".git/x.pcap": at(51), "a/late.pcap.swx": at(52),
	})
	for name, to := range map[string]string{"a/up": "..", "a/self": "self", "a/nowhere": "none", "b/link": filepath.Join(dir, "a")} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := mkfifo(filepath.Join(dir, "pipe")); err != nil {
		t.Log(err)
	}
	got, skipped := secondsOf(t, dir)
	if got != "[10 20 30 40]" {
		t.Errorf("times %s", got)
	}
	want := []Skipped{{File: dir, Reason: "3 files in it are not captures: b/broken.docx, b/empty, readme.txt"}}
	if fmt.Sprint(skipped) != fmt.Sprint(want) {
		t.Errorf("skipped %v", skipped)
	}
	if got, _ := secondsOf(t, dir, put(t, at(15))); got != "[10 15 20 30 40]" {
		t.Errorf("with a file: times %s", got)
	}
}

func TestPattern(t *testing.T) {
	dir := tree(t, map[string][]byte{"a-2.pcap": at(20), "a-1.pcap": at(10), ".a-3.pcap": at(30), "b.pcap": at(40), "a-4.swx": at(50), "d/e.pcap": at(60), "odd[1].pcap": at(70)})
	for pattern, want := range map[string]string{
		"a-*": "[10 20]", "[ab]*.pcap": "[10 20 40]", ".a*": "[30]", "*/*.pcap": "[60]", "?": "[60]", "odd[1].pcap": "[70]",
	} {
		if got, _ := secondsOf(t, filepath.Join(dir, pattern)); got != want {
			t.Errorf("%s: times %s, not %s", pattern, got, want)
		}
	}
}

func TestNothingFound(t *testing.T) {
	dir := tree(t, map[string][]byte{"text": []byte("text"), ".hidden": at(1)})
	for path, want := range map[string]string{
		dir: "no capture in it", filepath.Join(dir, "*.pcap"): "the pattern matches no file", filepath.Join(dir, "[a"): "no valid pattern",
		t.TempDir(): "no capture in it",
	} {
		if f, err := OpenFiles([]string{path, put(t, at(1))}); err == nil || !strings.Contains(err.Error(), path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
			if f != nil {
				f.Close()
			}
		}
	}
}
