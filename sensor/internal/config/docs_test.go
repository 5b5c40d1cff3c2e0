// SPDX-License-Identifier: Apache-2.0

package config

import (
	"os"
	"strings"
	"testing"
)

// The examples of the documentation are read as they stand there. The first line of a block says which document it is.
func TestDocumentationExamples(t *testing.T) {
	page, err := os.ReadFile("../../../docs/inventory.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, block := range strings.Split(string(page), "```yaml\n")[1:] {
		src, _, ok := strings.Cut(block, "```")
		if !ok || !strings.HasPrefix(src, "# inventory.yaml\n") {
			t.Fatalf("block %d: not closed, or its document is not named", i+1)
		}
		inv, err := ParseInventory("docs/inventory.md", []byte(src))
		if err != nil {
			t.Error(err)
			continue
		}
		if len(inv.Devices) == 0 {
			t.Errorf("block %d has no devices", i+1)
		}
		n++
	}
	if n < 2 {
		t.Errorf("only %d examples", n)
	}
}
