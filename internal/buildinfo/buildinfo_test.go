// SPDX-License-Identifier: Apache-2.0

package buildinfo_test

import (
	"strings"
	"testing"

	"stillwatch/internal/buildinfo"
)

func TestLinkerValuesComeFirst(t *testing.T) {
	got := buildinfo.New("v1.2.3", "0123456789abcdef").String()
	if !strings.HasPrefix(got, "v1.2.3, commit 0123456789ab, go") {
		t.Errorf("got %q", got)
	}
}

func TestVersionIsNeverEmpty(t *testing.T) {
	if got := buildinfo.New("", ""); got.Version == "" {
		t.Errorf("got %+v", got)
	}
}
