// SPDX-License-Identifier: Apache-2.0

package story

import (
	"strings"
	"sync"
	"time"

	"stillwatch/internal/testlab/progress"
	"stillwatch/schemas"
)

// Result is an expectation with what came of it. Came is zero if nothing did.
type Result struct {
	Expectation
	Story    string
	Step     time.Time // when the step began; for what follows no step, when the score did
	Came     time.Time
	Severity string
	Seen     string // title of the alert
}

// Score holds alerts against what is expected of the stories. Its methods may be called at the same time.
type Score struct {
	mu      sync.Mutex
	results []Result
	changed chan struct{}
}

// NewScore is the score of some stories before a sensor. If the mirror shows one direction only, what needs both is not expected, and that
// the sensor says so is.
func NewScore(stories []Story, sensor string, oneWay bool) *Score {
	s := &Score{changed: make(chan struct{}, 1)}
	for _, x := range stories {
		for _, e := range x.Expect {
			if !e.Whole || !oneWay {
				s.results = append(s.results, Result{Expectation: e, Story: x.Name})
			}
		}
	}
	if oneWay {
		s.results = append(s.results, Result{Expectation: blind(sensor), Step: time.Now()})
	}
	return s
}

// Step takes note of a step.
func (s *Score) Step(x progress.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.results {
		if r := &s.results[i]; r.After == x.Key && r.Step.IsZero() {
			r.Step = x.Time
		}
	}
}

// Alert takes an alert that came at a time and reports whether it was the first to meet an expectation.
func (s *Score) Alert(a schemas.Alert, came time.Time) (met bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.results {
		r := &s.results[i]
		if r.Came.IsZero() && a.Rule.ID == r.Rule && a.Device.Key == r.Device && strings.Contains(a.Title, r.Title) && (!r.Severe || a.Severity == "critical") {
			r.Came, r.Severity, r.Seen = came, a.Severity, a.Title
			met = true
		}
	}
	if met {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
	return met
}

// Results returns what came by now.
func (s *Score) Results() []Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Result(nil), s.results...)
}

// Missing counts the expectations that nothing has met.
func (s *Score) Missing() (n int) {
	for _, r := range s.Results() {
		if r.Came.IsZero() {
			n++
		}
	}
	return n
}

// Wait waits until nothing is missing, and reports whether it is so; it gives up after d.
func (s *Score) Wait(d time.Duration) bool {
	for limit := time.After(d); ; {
		if s.Missing() == 0 {
			return true
		}
		select {
		case <-s.changed:
		case <-limit:
			return s.Missing() == 0
		}
	}
}
