// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"slices"
	"strings"
	"testing"
)

// The order of the rules does not depend on the names of their files, and two rules with one id are refused.
func TestRegistry(t *testing.T) {
	var ids []string
	for _, r := range Rules() {
		ids = append(ids, r.ID)
	}
	if !slices.IsSorted(ids) || len(ids) < 48 || ids[0] != "D01" {
		t.Errorf("%d rules: %v", len(ids), ids)
	}
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, `"Unexpected outbound" and "Other" are both D01`) {
			t.Errorf("a second D01: %q", s)
		}
		if len(Rules()) != len(ids) {
			t.Error("the second D01 was added")
		}
	}()
	add(&registration{Rule: Rule{ID: "D01", Name: "Other"}})
}
