// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"stillwatch/collector/internal/auth"
	"stillwatch/collector/internal/store"
)

// Timing and batch size of event streams.
const (
	pollEvery  = time.Second      // for changes by other processes on the same database
	beatEvery  = 15 * time.Second // keeps connections through proxies and checks the session
	writeLimit = 30 * time.Second // a client that reads nothing for this long is disconnected
	batch      = 500
)

type eventsInput struct {
	LastEventID int64    `header:"Last-Event-ID" minimum:"0" doc:"id of the last received event; the stream continues after it"`
	After       int64    `query:"after" minimum:"-1" default:"-1" doc:"as Last-Event-ID, for the first request; -1: only new changes, 0: everything"`
	Kind        []string `query:"kind" enum:"alert,device" doc:"any of these; default: all"`
	Severity    []string `query:"severity" enum:"informational,low,medium,high,critical" doc:"only alerts of these severities"`
}

// event is the data of one server-sent event.
type event struct {
	Kind   string      `json:"kind"`
	ID     string      `json:"id"`
	Alert  *alertItem  `json:"alert,omitempty"`
	Device *deviceItem `json:"device,omitempty"`
}

func (a *API) eventRoutes(h huma.API) {
	op := operation("events", "/events", "Stream changes as server-sent events")
	op.Description = "Events are named alert and device. Their id is a change number; a client that reconnects sends it as " +
		"Last-Event-ID and the stream continues after it. Each alert and device appears once, in its latest state, with the number of its " +
		"last change. An event named reset means that the number is unknown to this database: load the lists again."
	huma.Register(h, op, a.events)
}

func (a *API) events(ctx context.Context, in *eventsInput) (*huma.StreamResponse, error) {
	select {
	case a.slots <- struct{}{}:
	default:
		return nil, huma.Error503ServiceUnavailable("too many event streams are open")
	}
	free := func() { <-a.slots }
	last, err := a.store.LastChange(ctx)
	if err != nil {
		free()
		return nil, a.problem(err)
	}
	s := &stream{api: a, in: in}
	s.after, s.reset = begin(in, last)
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer free()
		r, w := humago.Unwrap(hctx)
		s.serve(r, w)
	}}, nil
}

// begin returns the change number after which a stream starts, and whether the requested number is unknown to this database.
func begin(in *eventsInput, last int64) (after int64, reset bool) {
	after = in.After
	if in.LastEventID > 0 {
		after = in.LastEventID
	}
	switch {
	case after < 0:
		return last, false
	case after > last:
		return last, true
	}
	return after, false
}

// stream is the event stream of one client.
type stream struct {
	api   *API
	in    *eventsInput
	after int64
	reset bool
	w     http.ResponseWriter
	ctrl  *http.ResponseController
}

func (s *stream) serve(r *http.Request, w http.ResponseWriter) {
	s.w, s.ctrl = w, http.NewResponseController(w)
	// The read timeout of the request must not end the stream.
	if err := s.ctrl.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return
	}
	changed, stop := s.api.store.Watch()
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // disables the buffering of nginx
	opening := fmt.Sprintf(": from %d\n\n", s.after)
	if s.reset {
		opening = fmt.Sprintf("id: %d\nevent: reset\ndata: {}\n\n", s.after)
	}
	if s.write([]byte(opening)) != nil {
		return
	}
	s.follow(r, changed)
}

// follow sends changes until the client disconnects, its session ends or the API is closed.
func (s *stream) follow(r *http.Request, changed <-chan struct{}) {
	poll, beat := time.NewTicker(pollEvery), time.NewTicker(beatEvery)
	defer poll.Stop()
	defer beat.Stop()
	for {
		if s.send(r.Context()) != nil {
			return
		}
		select {
		case <-changed:
		case <-poll.C:
		case <-beat.C:
			r.Header.Set(auth.QuietHeader, "1") // a stream does not keep its session alive
			if _, err := s.api.auth.Identify(r); err != nil || s.write([]byte(":\n\n")) != nil {
				return
			}
		case <-r.Context().Done():
			return
		case <-s.api.done:
			return
		}
	}
}

// send sends all changes after the last one that was sent.
func (s *stream) send(ctx context.Context) error {
	for {
		last, err := s.api.store.LastChange(ctx)
		if err != nil || last <= s.after {
			return err
		}
		changes, err := s.api.store.Changes(ctx, s.after, batch)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		for _, c := range changes {
			s.after = c.Number
			if err := s.add(&b, c); err != nil {
				return err
			}
		}
		if b.Len() > 0 {
			if err := s.write(b.Bytes()); err != nil {
				return err
			}
		}
		if len(changes) < batch {
			return nil
		}
	}
}

func (s *stream) wanted(c store.Change) bool {
	if len(s.in.Kind) > 0 && !slices.Contains(s.in.Kind, c.Kind) {
		return false
	}
	return len(s.in.Severity) == 0 || c.Row == nil || slices.Contains(s.in.Severity, c.Row.Alert.Severity)
}

// add writes an event. json.Marshal compacts the record, so that it has no line break, which would end the event.
func (s *stream) add(b *bytes.Buffer, c store.Change) error {
	if !s.wanted(c) {
		return nil
	}
	e := event{Kind: c.Kind, ID: c.ID}
	if c.Row != nil {
		v := item(*c.Row)
		e.Alert = &v
	}
	if c.Device != nil {
		v, err := deviceOf(*c.Device)
		if err != nil {
			return nil // there is no record of it yet
		}
		e.Device = &v
	}
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("event %d: %w", c.Number, err)
	}
	fmt.Fprintf(b, "id: %d\nevent: %s\ndata: %s\n\n", c.Number, c.Kind, data)
	return nil
}

func (s *stream) write(b []byte) error {
	if err := s.ctrl.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return fmt.Errorf("write deadline: %w", err)
	}
	if _, err := s.w.Write(b); err != nil {
		return err
	}
	return s.ctrl.Flush()
}
