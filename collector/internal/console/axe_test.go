// SPDX-License-Identifier: Apache-2.0

package console

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVendoredFiles checks that third-party files are unmodified.
func TestVendoredFiles(t *testing.T) {
	dir := filepath.Join("testdata", "axe")
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(string(sums)), "\n")
	if len(rows) != 3 {
		t.Fatalf("%d checksums", len(rows))
	}
	for _, row := range rows {
		want, name, _ := strings.Cut(row, "  ")
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(data); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s has another checksum", name)
		}
	}
}
