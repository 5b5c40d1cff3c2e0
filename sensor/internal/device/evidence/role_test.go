// SPDX-License-Identifier: Apache-2.0

package evidence

import "testing"

// Every role has its own phrase, with an article.
func TestPhrase(t *testing.T) {
	seen := map[string]bool{}
	for r := range numRoles {
		p := r.Phrase()
		if seen[p] || p == "" {
			t.Errorf("%s: %q", r, p)
		}
		seen[p] = true
	}
	if !seen["an NVR"] || !seen["a camera"] {
		t.Errorf("%v", seen)
	}
}
