// SPDX-License-Identifier: Apache-2.0

package detect_test

import (
	"fmt"
	"testing"

	"stillwatch/sensor/internal/contract"
	"stillwatch/sensor/internal/detect"
	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/session"
)

func (s *stage) refuse(r detect.PolicyRefusal) {
	for _, d := range s.dets {
		if w, ok := d.(detect.PolicyWatcher); ok {
			w.PolicyRefused(&r, &s.c)
		}
	}
}

func TestPolicyPage(t *testing.T) {
	checkPage(t, "D44", func(t *testing.T) *stage {
		s := newStage(t)
		s.wait(second)
		s.refuse(detect.PolicyRefusal{ID: "backup-job", Version: 2, Code: detect.PolicySignature, Why: "the signature is not that of the key hq-collector"})
		return s
	})
}

func TestRefusedPolicies(t *testing.T) {
	s := newStage(t)
	for i, code := range []string{detect.PolicySignature, detect.PolicyStale, detect.PolicyExpired, detect.PolicyInvalid} {
		s.refuse(detect.PolicyRefusal{ID: fmt.Sprint("p", i), Version: 1, Code: code, Why: "it is " + code})
		s.wait(second)
	}
	s.refuse(detect.PolicyRefusal{ID: "p0", Version: 1, Code: detect.PolicySignature, Why: "it is bad_signature"})
	s.want(t, "D44", "high policy p0 2", "high policy p1 1", "low policy p2 1", "medium policy p3 1")
}

// TestManyRefusedPolicies checks that somebody who fills the topic raises a bounded number of alerts.
func TestManyRefusedPolicies(t *testing.T) {
	s := newStage(t)
	for i := range 5000 {
		s.refuse(detect.PolicyRefusal{ID: fmt.Sprint("p", i), Code: detect.PolicyUntrusted, Why: "its key is not trusted"})
	}
	ids := map[string]bool{}
	for _, a := range s.got {
		ids[a.ID] = true
	}
	if len(ids) != detect.DefaultPolicyParams().MaxPerHour+1 {
		t.Errorf("%d alerts", len(ids))
	}
}

// loginOn plays a login from a host on a device of some criticality whose contract a policy has extended, and returns whether D08 reports it.
func loginOn(t *testing.T, criticality, from string, rules ...string) bool {
	t.Helper()
	e := legacy()
	e.Criticality = criticality
	s := newStage(t, e)
	s.c.Contracts.SetPolicies([]contract.Policy{{ID: "p", Device: contract.Selector{Match: e.Match}, Entry: &contract.PolicyEntry{
		PolicyMatch: contract.PolicyMatch{Direction: session.In, Proto: "any", AnyPeer: true}, Text: "in (policy p)", Rules: rules}}})
	s.wait(100 * hour)
	s.connect("10.20.10.99", silent+":23")
	s.wait(100 * hour)
	v := s.connect(from, silent+":23")
	s.event(detect.SessionFact, v, &dissect.Login{Protocol: "telnet", Result: dissect.OutcomeSuccess})
	for _, a := range s.got {
		if a.Rule.ID == "D08" {
			return true
		}
	}
	return false
}

func TestPoliciesDoNotHideLoginsOnCriticalDevices(t *testing.T) {
	for _, c := range []struct {
		criticality, from string
		rules             []string
		want              bool
	}{
		{"high", foreign, nil, false},
		{"critical", foreign, nil, true},
		{"critical", foreign, []string{"D28"}, true},
		{"critical", foreign, []string{"D08"}, false},
		{"critical", "10.20.10.98", nil, false}, // only logins from outside are protected
	} {
		if got := loginOn(t, c.criticality, c.from, c.rules...); got != c.want {
			t.Errorf("%s device, from %s, rules %v: reported %v", c.criticality, c.from, c.rules, got)
		}
	}
}
