// SPDX-License-Identifier: Apache-2.0

package logins

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
)

func TestHintKeepsTwoCharacters(t *testing.T) {
	for user, want := range map[string]string{"": "", "a": "a", "admin": "in", "jürgen": "en", "日本語": "本語", "x\x00\x01": ".."} {
		if got := Hint([]byte(user)); got != want {
			t.Errorf("%q: %q, want %q", user, got, want)
		}
	}
}

func TestAttemptReportsEachLoginOnce(t *testing.T) {
	var facts []dissect.Login
	sink := func(f dissect.Fact) { facts = append(facts, *f.(*dissect.Login)) }
	a := Attempt{Protocol: "ftp"}
	a.Result(dissect.OutcomeSuccess, sink) // nothing is pending
	a.Name([]byte("admin"))
	a.Password([]byte("12345"))
	a.Result(dissect.OutcomeFailure, sink)
	a.Result(dissect.OutcomeSuccess, sink)
	want := dissect.Login{Protocol: "ftp", UserHint: "in", Result: dissect.OutcomeFailure, DefaultCredentials: true, CleartextCredentials: true}
	if len(facts) != 1 || facts[0] != want || a.User != nil {
		t.Errorf("%+v", facts)
	}
	for range 2 * MaxAttempts {
		a.Proof()
		a.Result(dissect.OutcomeFailure, sink)
	}
	if len(facts) != MaxAttempts {
		t.Errorf("%d logins were reported", len(facts))
	}
}
