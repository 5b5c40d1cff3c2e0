// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"os"
	"strings"
	"testing"
)

// Each default pair stands below a line that says where it is published, and the embedded file has the hashes of these pairs.
func TestDefaultsHaveSources(t *testing.T) {
	text, err := os.ReadFile("../../../../scripts/assets/credentials.tsv")
	if err != nil {
		t.Fatal(err)
	}
	source, rows := "", 0
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "# From "):
			if source = strings.TrimPrefix(line, "# From "); !strings.HasPrefix(source, "https://") {
				t.Errorf("line %d: %q is no address", i+1, source)
			}
		case line == "":
			source = ""
		case line[0] != '#':
			if rows++; source == "" {
				t.Errorf("line %d has no source", i+1)
			}
		}
	}
	d, err := ParseDefaults(text)
	if err != nil || rows == 0 || d.Rows() != rows {
		t.Fatalf("%d rows: %v", rows, err)
	}
	if string(d.Sealed()) != string(EmbeddedDefaults()) {
		t.Error("the embedded file is not that of the list: run make assets")
	}
}
