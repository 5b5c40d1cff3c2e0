// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stillwatch/internal/testlab/wording"
	"stillwatch/internal/testneed"
)

// TestDocumentedTargetsExist checks that each target of make and each package that the documentation runs with go exists.
func TestDocumentedTargetsExist(t *testing.T) {
	root := testneed.Root(t)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	for _, c := range wording.Commands(t, "make") {
		for _, arg := range c.Args {
			if strings.Contains(arg, "=") {
				break // a variable; its value may have blanks
			}
			if !targets[arg] {
				t.Errorf("%s: there is no target %s", c.Where, arg)
			}
		}
	}
	for _, c := range wording.Commands(t, "go") {
		for _, arg := range c.Args {
			dir := strings.TrimSuffix(strings.TrimSuffix(arg, "..."), "/")
			if !strings.HasPrefix(arg, "./") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, dir)); err != nil {
				t.Errorf("%s: there is no package %s", c.Where, arg)
			}
		}
	}
}
