// SPDX-License-Identifier: Apache-2.0

package story

import (
	"testing"
	"time"

	"stillwatch/internal/testlab/progress"
	"stillwatch/schemas"
)

func alert(rule, device, severity, title string) schemas.Alert {
	var a schemas.Alert
	a.Rule.ID, a.Device.Key, a.Severity, a.Title = rule, device, severity, title
	return a
}

func TestScore(t *testing.T) {
	at := time.Unix(1000, 0)
	list := []Story{{Name: "X", Expect: []Expectation{
		{After: "a", Rule: "D01", Device: "box", Title: "opened"},
		{After: "b", Rule: "D42", Device: "box", Title: "story", Severe: true},
		{After: "c", Rule: "D07", Device: "box", Title: "answers", Whole: true},
	}}}
	s := NewScore(list, "s", false)
	if s.Missing() != 3 {
		t.Fatalf("%d are missing", s.Missing())
	}
	s.Step(progress.Step{Time: at, Key: "a"})
	s.Step(progress.Step{Time: at.Add(time.Hour), Key: "a"}) // the first counts
	for _, x := range []struct {
		alert schemas.Alert
		met   bool
	}{
		{alert("D01", "other", "high", "opened"), false},
		{alert("D02", "box", "high", "opened"), false},
		{alert("D01", "box", "high", "closed"), false},
		{alert("D42", "box", "high", "a story"), false},
		{alert("D01", "box", "high", "box opened it"), true},
		{alert("D01", "box", "high", "box opened it"), false}, // already met
		{alert("D42", "box", "critical", "a story"), true},
	} {
		if met := s.Alert(x.alert, at.Add(time.Second)); met != x.met {
			t.Errorf("%s %q: met %v", x.alert.Rule.ID, x.alert.Title, met)
		}
	}
	r := s.Results()
	if s.Missing() != 1 || r[0].Came.Sub(r[0].Step) != time.Second || r[0].Severity != "high" || r[0].Seen != "box opened it" {
		t.Errorf("%+v", r)
	}
	if s.Wait(time.Millisecond) {
		t.Error("nothing is missing")
	}
}

// TestOneWay checks the expectations for a mirror of one direction.
func TestOneWay(t *testing.T) {
	s := NewScore(Stories(), "s", true)
	for _, r := range s.Results() {
		if r.Whole {
			t.Errorf("expected though it needs both: %+v", r)
		}
	}
	s.Alert(alert("D41", "sensor:s", "medium", "9 % of the sessions show one direction only"), time.Now())
	if r := s.Results(); r[len(r)-1].Came.IsZero() {
		t.Error("blindness is not expected")
	}
}
