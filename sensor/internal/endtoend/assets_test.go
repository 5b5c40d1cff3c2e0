// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The data files of the program can be exported, put into a folder, shown and used; what is wrong is one line.
func TestAssets(t *testing.T) {
	dir := t.TempDir()
	archive, folder, cfg := filepath.Join(dir, "a.tar.gz"), filepath.Join(dir, "data"), filepath.Join(dir, "sensor.yaml")
	if err := os.WriteFile(cfg, []byte("version: 1\nassets: data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run1(t, "assets", "export", "--to", archive); r.status != exitOK || r.err != "" {
		t.Fatal(r.status, r.err)
	}
	if r := run1(t, "assets", "update", "--config", cfg, "--from", archive); r.status != exitOK || strings.Count(r.out, "\n") != 8 {
		t.Fatal(r.status, r.out, r.err)
	}
	if r := run1(t, "assets", "show", "--config", cfg); r.status != exitOK || strings.Count(r.out, folder) != 8 {
		t.Error(r.status, r.out, r.err)
	}
	capture := write(t, sample(t), "sample.pcap")
	plain, ours := run1(t, "devices", "--json", capture), run1(t, "devices", "--json", "--config", cfg, capture)
	if plain.status != exitOK || plain.out == "" || ours.out != plain.out {
		t.Errorf("other devices with the same data files: %s%s", ours.err, ours.out)
	}
	vendors := "# Date: 2027-01-02\n# License: ours\nnobody\tNobody\tbrand\n"
	if err := os.WriteFile(filepath.Join(folder, "vendors.tsv"), []byte(vendors), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run1(t, "assets", "show", "--config", cfg); !strings.Contains(r.out, "2027-01-02") {
		t.Error(r.out)
	}
	if r := run1(t, "assets", "update", "--config", cfg, "--from", archive); r.status != exitUsage || !strings.Contains(r.err, "vendors.tsv is of ") || strings.Count(r.err, "\n") != 1 {
		t.Error(r.status, r.err)
	}
	if err := os.WriteFile(filepath.Join(folder, "vendors.tsv"), []byte(vendors+"x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"assets", "show", "--config", cfg}, {"devices", "--config", cfg, capture}, {"config", "check", "--config", cfg}} {
		if r := run1(t, args...); r.status != exitUsage || !strings.Contains(r.err, "vendors.tsv: line 4: 1 columns, want 3 separated by tabs") || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%q: %d %s", args, r.status, r.err)
		}
	}
	if r := run1(t, "assets", "update", "--from", archive); r.status != exitUsage || !strings.Contains(r.err, "no folder of data files") {
		t.Error(r.status, r.err)
	}
}
