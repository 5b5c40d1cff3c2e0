// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"bytes"
	"strings"
	"testing"

	"stillwatch/schemas"
)

// TestLiveCardsShowChanges adds revisions of two alerts, of which only some say more than the ones before.
func TestLiveCardsShowChanges(t *testing.T) {
	var b bytes.Buffer
	f := NewLiveCards(&Terminal{Width: 80}, &b)
	for i, c := range []struct {
		id, action, severity, title string
		shown                       bool
	}{
		{"1", "create", "medium", "one", true}, {"1", "update", "medium", "one", false}, {"2", "create", "low", "two", true},
		{"1", "update", "high", "one", true}, {"1", "update", "medium", "one", false}, {"1", "update", "high", "one and more", true},
		{"1", "close", "high", "one and more", false}, {"1", "create", "high", "one and more", true},
	} {
		b.Reset()
		if err := f.Add(&schemas.Alert{ID: c.id, Action: c.action, Severity: c.severity, Title: c.title}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), c.title); got != c.shown {
			t.Errorf("revision %d: shown is %v, want %v", i, got, c.shown)
		}
	}
}
