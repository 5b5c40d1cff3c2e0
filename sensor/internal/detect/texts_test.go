// SPDX-License-Identifier: Apache-2.0

package detect

import (
	"sync"
	"testing"

	"stillwatch/internal/testlab/wording"
	"stillwatch/sensor/internal/device"
)

var words = struct {
	sync.Mutex
	rules   []wording.Rule
	checked map[string]bool // texts
}{checked: map[string]bool{}}

// CheckAlert checks the texts of an alert, in every test of a detector: see docs/style.md.
func CheckAlert(t *testing.T, rule, title, message, recommendation, role string) {
	t.Helper()
	words.Lock()
	defer words.Unlock()
	if words.rules == nil {
		words.rules = wording.Rules(t)
	}
	key := title + message + recommendation + role
	if words.checked[key] {
		return
	}
	words.checked[key] = true
	for _, wrong := range wording.Alert(words.rules, title, message, recommendation, role) {
		t.Errorf("%s: %s", rule, wrong)
	}
}

// CheckTexts checks the texts of a finding.
func CheckTexts(t *testing.T, f *Finding) {
	t.Helper()
	role := device.Unknown
	if f.Device != nil {
		role = f.Device.Role
	}
	CheckAlert(t, f.Rule.ID, f.Title, f.Message, f.Recommendation, role.String())
}

// TestAdviceForEveryRole checks the recommendations of all rules for devices of all roles.
func TestAdviceForEveryRole(t *testing.T) {
	rules, all := wording.Rules(t), map[string]bool{}
	for _, r := range registrations() {
		if _, ok := r.advice[""]; !ok {
			t.Errorf("%s has no advice for the usual case", r.Rule.ID)
		}
		for found, s := range r.advice {
			for role := device.Unknown; role <= device.IoT; role++ {
				text := s.forDevice(&device.Device{Role: role})
				all[text] = true
				for _, wrong := range wording.Steps(rules, text, role.String()) {
					t.Errorf("%s %s: %s", r.Rule.ID, found, wrong)
				}
			}
		}
	}
	if len(all) < len(registrations()) {
		t.Errorf("only %d recommendations differ", len(all))
	}
}
