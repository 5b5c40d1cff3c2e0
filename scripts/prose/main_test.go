// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"

	"stillwatch/internal/testlab/wording"
)

const list = "# comment\n\nheld to\tchecked against\tgo\nmakers?\tvendor\n"

func TestCheck(t *testing.T) {
	rules, err := wording.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	src := "package p\n\n// It is held\n// to the page.\nvar held = \"Held to it\" // maker\n"
	for _, c := range []struct {
		name string
		src  string
		want []string
	}{
		{"a.md", "The maker\nis held\nto it. Cameramaker.", []string{"a.md:2: \"held\\nto\"", "a.md:1: \"maker\""}},
		{"a.go", src, []string{"a.go:3: \"held\\n to\"", "a.go:5: \"Held to\""}},
		{"a_test.go", src, []string{"a_test.go:3: \"held\\n to\""}},
	} {
		isGo := strings.HasSuffix(c.name, ".go")
		pieces := []piece{{1, c.src}}
		if isGo {
			pieces = goText(c.name, []byte(c.src))
		}
		found := check(c.name, pieces, rules, isGo)
		ok := slices.EqualFunc(found, c.want, func(f, want string) bool { return strings.HasPrefix(f, "prose: "+want+" -> ") })
		if !ok {
			t.Errorf("%s: got %q, want %q", c.name, found, c.want)
		}
	}
}

func TestParseRejectsMalformedRules(t *testing.T) {
	for _, list := range []string{"word\n", "word\tbetter\tC\n", "(\tbetter\n"} {
		if _, err := wording.Parse(list); err == nil {
			t.Errorf("%q: no error", list)
		}
	}
}
