// SPDX-License-Identifier: Apache-2.0

package alert

import "stillwatch/sensor/internal/detect"

// Policies are what analysts have decided about alerts.
type Policies interface {
	// Suppresses returns the id of the policy because of which nobody needs to act on a finding, "" if there is none.
	Suppresses(f *detect.Finding, c *detect.Context) string
	// Holds reports whether a policy is active.
	Holds(id string) bool
	// Hash returns the hash of the active policies, "" if there are none.
	Hash() string
}

// suppressor returns the policy that suppresses a finding, "" if there is none.
func (m *Manager) suppressor(f *detect.Finding, c *detect.Context) string {
	if m.cfg.Policies == nil {
		return ""
	}
	return m.cfg.Policies.Suppresses(f, c)
}

func (m *Manager) policyHash() string {
	if m.cfg.Policies == nil {
		return ""
	}
	return m.cfg.Policies.Hash()
}

// suppress decides whether an alert is suppressed after a further finding. An alert with a finding that was not suppressed stays as it is until the
// policies change. It reports whether somebody needs to act on it from now on.
func (m *Manager) suppress(o *open, f *detect.Finding, c *detect.Context) (raised bool) {
	by := m.suppressor(f, c)
	switch {
	case by == "":
		raised = o.by != ""
		o.by, o.actUnder = "", m.policyHash()
	case o.revision == 0 || o.by != "" || o.actUnder != m.policyHash():
		o.by = by
	}
	return raised
}

// lift ends the suppression of an alert whose policy is over.
func (m *Manager) lift(o *open) {
	if o.by != "" && !m.cfg.Policies.Holds(o.by) {
		o.by, o.actUnder = "", m.policyHash()
	}
}

// alike reports whether two alerts are both suppressed, or neither is. Others do not absorb each other: a suppressed alert must not hide one to act on.
func (o *open) alike(x *open) bool { return (o.by == "") == (x.by == "") }
