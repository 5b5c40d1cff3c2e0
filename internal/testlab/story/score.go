// SPDX-License-Identifier: Apache-2.0

package story

import (
	"strings"
	"sync"
	"time"

	"stillwatch/internal/testlab/progress"
	"stillwatch/schemas"
)

// Result is an expectation with its outcome. Came is zero if no alert met it.
type Result struct {
	Expectation
	Story    string
	Step     time.Time // start of the step; start of the score if there is no step
	Came     time.Time
	Severity string
	Seen     string // title of the alert
}

// Score compares alerts with the expectations of the stories. Its methods are safe for concurrent use.
type Score struct {
	mu      sync.Mutex
	results []Result
	changed chan struct{}
}

// NewScore returns the score of stories that a sensor observes. For a one-way mirror it omits the expectations that need both directions, and
// expects the alert about the mirror instead.
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

// Step records a step.
func (s *Score) Step(x progress.Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.results {
		if r := &s.results[i]; r.After == x.Key && r.Step.IsZero() {
			r.Step = x.Time
		}
	}
}

// Alert records an alert and its arrival time, and reports whether it is the first to meet an expectation.
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

// Results returns the current results.
func (s *Score) Results() []Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Result(nil), s.results...)
}

// Missing returns the number of expectations that no alert has met.
func (s *Score) Missing() (n int) {
	for _, r := range s.Results() {
		if r.Came.IsZero() {
			n++
		}
	}
	return n
}

// Wait waits until no alert is missing, at most for d, and reports whether one is.
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
