// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sse is one server-sent event.
type sse struct{ id, name, data string }

// reader reads an event stream until its context ends.
type reader struct {
	t      *testing.T
	events chan sse
	end    context.CancelFunc
	status int
}

func (r *rig) follow(t *testing.T, query string, headers ...string) *reader {
	t.Helper()
	ctx, end := context.WithCancel(context.Background())
	answer := r.request(t, ctx, http.MethodGet, Base+"/events"+query, "", headers...)
	out := &reader{t: t, events: make(chan sse, 1000), end: end, status: answer.StatusCode}
	t.Cleanup(func() { end(); answer.Body.Close() })
	go func() {
		defer close(out.events)
		var e sse
		for sc := bufio.NewScanner(answer.Body); sc.Scan(); {
			name, value, _ := strings.Cut(sc.Text(), ": ")
			switch {
			case name == "id":
				e.id = value
			case name == "event":
				e.name = value
			case name == "data":
				e.data = value
			case sc.Text() == "" && e.name != "":
				out.events <- e
				e = sse{}
			}
		}
	}()
	return out
}

func (r *reader) next() sse {
	r.t.Helper()
	select {
	case e, ok := <-r.events:
		if !ok {
			r.t.Fatal("the stream has ended")
		}
		return e
	case <-time.After(2 * time.Minute):
		r.t.Fatal("no event came")
		return sse{}
	}
}

// alerts reads n alert events and returns their ids.
func (r *reader) alerts(n int) (ids []string, last string) {
	r.t.Helper()
	for len(ids) < n {
		e := r.next()
		last = e.id
		var v struct {
			ID    string
			Alert *struct{ Alert json.RawMessage }
		}
		if err := json.Unmarshal([]byte(e.data), &v); err != nil {
			r.t.Fatalf("event %+v: %v", e, err)
		}
		if e.name == "alert" {
			if v.Alert == nil || len(v.Alert.Alert) == 0 {
				r.t.Errorf("event without a record: %+v", e)
			}
			ids = append(ids, v.ID)
		}
	}
	return ids, last
}

func TestEventsStreamNewChanges(t *testing.T) {
	r := newRig(t, 0)
	r.apply(t, alerts(0, 5)...)
	s := r.follow(t, "") // only new changes
	r.apply(t, alert(7))
	if got, _ := s.alerts(1); got[0] != id(7) {
		t.Errorf("first %s, want %s", got[0], id(7))
	}
	a := alert(2)
	a.Revision, a.Action, a.Title = 2, "close", "line one\u2028line two\nthree"
	r.apply(t, a)
	if got, _ := s.alerts(1); got[0] != id(2) {
		t.Errorf("second %s, want %s", got[0], id(2))
	}
}

// TestEventsResume checks that a client that reconnects receives the missed events once and in order.
func TestEventsResume(t *testing.T) {
	r := newRig(t, 0)
	s := r.follow(t, "?after=0&kind=alert")
	r.apply(t, alerts(0, 3)...)
	first, last := s.alerts(3)
	s.end()
	r.apply(t, alerts(3, 40)...)
	missed, _ := r.follow(t, "?kind=alert", "Last-Event-ID", last).alerts(37)
	for n, got := range append(first, missed...) {
		if got != id(n) {
			t.Fatalf("event %d is %s, want %s", n, got, id(n))
		}
	}
}

func TestEventsFilter(t *testing.T) {
	r := newRig(t, 0)
	r.apply(t, alerts(0, 10)...)
	s := r.follow(t, "?after=0&kind=alert&severity=high")
	if got, _ := s.alerts(5); strings.Join(got, " ") != strings.Join([]string{id(1), id(3), id(5), id(7), id(9)}, " ") {
		t.Errorf("alerts %q", got)
	}
}

// TestEventsReset checks that an unknown change number causes a reset event, and that the stream continues from now on.
func TestEventsReset(t *testing.T) {
	r := newRig(t, 0)
	r.apply(t, alert(0))
	s := r.follow(t, "", "Last-Event-ID", "999999")
	if e := s.next(); e.name != "reset" {
		t.Errorf("first event %+v", e)
	}
	r.apply(t, alert(1))
	if got, _ := s.alerts(1); got[0] != id(1) {
		t.Errorf("then %q", got)
	}
}

// TestEventStreamLimit checks that streams above the limit are rejected, and that a closed stream makes room.
func TestEventStreamLimit(t *testing.T) {
	r := newRig(t, 2)
	one, two := r.follow(t, ""), r.follow(t, "")
	if one.status != http.StatusOK || two.status != http.StatusOK {
		t.Fatalf("status %d, %d", one.status, two.status)
	}
	if three := r.follow(t, ""); three.status != http.StatusServiceUnavailable {
		t.Errorf("status %d", three.status)
	}
	one.end()
	for end := time.Now().Add(2 * time.Minute); r.follow(t, "").status != http.StatusOK; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a closed stream does not make room")
		}
	}
}

// TestCloseEndsStreams checks that Close ends open streams.
func TestCloseEndsStreams(t *testing.T) {
	r := newRig(t, 0)
	s := r.follow(t, "")
	r.api.Close()
	select {
	case _, ok := <-s.events:
		if ok {
			t.Error("an event came")
		}
	case <-time.After(2 * time.Minute):
		t.Error("the stream did not end")
	}
}
