// SPDX-License-Identifier: Apache-2.0

package consume

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"

	"stillwatch/collector/internal/store"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// script is a Reader that gives prepared messages, then waits, and notes what is committed.
type script struct {
	mu        sync.Mutex
	messages  []kafka.Message
	total     int
	committed []int64
	drained   chan struct{} // closed when all was committed
}

func newScript(messages ...kafka.Message) *script {
	for i := range messages {
		messages[i].Offset = int64(i)
	}
	return &script{messages: messages, total: len(messages), drained: make(chan struct{})}
}

func (s *script) FetchMessage(ctx context.Context) (kafka.Message, error) {
	s.mu.Lock()
	if len(s.messages) > 0 {
		defer s.mu.Unlock()
		m := s.messages[0]
		s.messages = s.messages[1:]
		return m, nil
	}
	s.mu.Unlock()
	<-ctx.Done()
	return kafka.Message{}, ctx.Err()
}

func (s *script) CommitMessages(_ context.Context, ms ...kafka.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range ms {
		s.committed = append(s.committed, m.Offset)
	}
	if len(s.committed) == s.total {
		close(s.drained)
	}
	return nil
}

func (s *script) Close() error { return nil }

// letterbox keeps dead letters, and refuses the first as often as told.
type letterbox struct {
	refuse  []error
	reasons []string
}

func (l *letterbox) Send(_ context.Context, m kafka.Message, reason string) error {
	if len(l.refuse) > 0 {
		err := l.refuse[0]
		l.refuse = l.refuse[1:]
		return err
	}
	l.reasons = append(l.reasons, fmt.Sprintf("%d %s", m.Offset, reason))
	return nil
}

// consumeAll runs a consumer until all messages are committed.
func consumeAll(t *testing.T, r *script, s store.Ingest, l Letters) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(Config{Batch: 7}, r, s, l, newMetrics()).Run(ctx) }()
	<-r.drained
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func alertMessage(t *testing.T, n int) kafka.Message {
	return kafka.Message{Topic: schemas.AlertTopic, Value: value(t, n)}
}

func TestPoisonGoesToTheDeadLettersAndTheRestGoesOn(t *testing.T) {
	deep := []byte(strings.Repeat(`{"a":`, 200_000))
	golden, err := os.ReadFile(filepath.Join(testneed.Root(t), "schemas", "testdata", "device.json"))
	if err != nil {
		t.Fatal(err)
	}
	bad := map[int]kafka.Message{
		1:  {Topic: schemas.AlertTopic, Value: []byte("no JSON")},
		3:  {Topic: schemas.AlertTopic, Value: nil},
		5:  {Topic: schemas.AlertTopic, Value: deep},
		7:  {Topic: schemas.AlertTopic, Value: []byte(`{"schema":"stillwatch.alert/1"}`)},
		9:  {Topic: schemas.AlertTopic, Value: golden}, // a device
		11: {Topic: schemas.AlertTopic, Value: make([]byte, maxRecord+1)},
		13: {Topic: "another", Value: value(t, 1)},
		15: {Topic: schemas.DeviceTopic, Value: []byte("\xff\x00")},
		17: {Topic: schemas.AlertTopic, Value: []byte(strings.Replace(string(value(t, 17)), "10.20.0.17", "10.20.0.1777", 1))},
	}
	var messages []kafka.Message
	good := 0
	for n := range 40 {
		m, isBad := bad[n]
		if !isBad {
			m = alertMessage(t, good)
			good++
		}
		messages = append(messages, m)
	}
	messages = append(messages, kafka.Message{Topic: schemas.DeviceTopic, Value: golden}, kafka.Message{Topic: schemas.DeviceTopic, Key: []byte("gone")})
	r, s, l := newScript(messages...), openStore(t), &letterbox{refuse: []error{errors.New("for now"), ErrUndeliverable}}
	consumeAll(t, r, s, l)
	whole(t, s, good)
	dead, err := s.DeadLetters(context.Background(), store.Page{})
	if err != nil || len(dead.Letters) != len(bad) || len(l.reasons) != len(bad)-1 {
		t.Errorf("%d in the database, %d in the topic, want %d and one less; %v", len(dead.Letters), len(l.reasons), len(bad), err)
	}
	for _, d := range dead.Letters {
		if _, ok := bad[int(d.Offset)]; !ok || d.Reason == "" || len(d.Reason) > maxReason+10 {
			t.Errorf("offset %d: %.200s", d.Offset, d.Reason)
		}
	}
	if o, _ := s.Overview(context.Background()); o.Devices != good+1 {
		t.Errorf("%d devices", o.Devices)
	}
	for i, off := range r.committed {
		if off != int64(i) {
			t.Fatalf("committed %v", r.committed)
		}
	}
}

// moody is a store that fails as told before it works.
type moody struct {
	store.Ingest
	errs   []error
	before func() // called at each failure
}

func (m *moody) Apply(ctx context.Context, b store.Batch) (store.Applied, error) {
	if len(m.errs) > 0 {
		err := m.errs[0]
		m.errs = m.errs[1:]
		m.before()
		return store.Applied{}, err
	}
	return m.Ingest.Apply(ctx, b)
}

func TestNothingIsCommittedBeforeItIsStored(t *testing.T) {
	r, s := newScript(alertMessage(t, 0), alertMessage(t, 1)), openStore(t)
	retry := fmt.Errorf("%w: disk full", store.ErrRetry)
	m := &moody{Ingest: s, errs: []error{retry, retry, retry}, before: func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.committed) > 0 {
			t.Error("committed before it was stored")
		}
	}}
	consumeAll(t, r, m, &letterbox{})
	whole(t, s, 2)
}

// choosy refuses a record for good.
type choosy struct {
	store.Ingest
	bad string
}

func (c choosy) Apply(ctx context.Context, b store.Batch) (store.Applied, error) {
	for _, a := range b.Alerts {
		if a.Alert.ID == c.bad {
			return store.Applied{}, fmt.Errorf("%w: constraint", store.ErrRefused)
		}
	}
	return c.Ingest.Apply(ctx, b)
}

func TestRecordThatTheStoreRefusesDoesNotHoldUpTheOthers(t *testing.T) {
	r, s, l := newScript(alertMessage(t, 0), alertMessage(t, 1), alertMessage(t, 9), alertMessage(t, 2)), openStore(t), &letterbox{}
	consumeAll(t, r, choosy{s, alertID(9)}, l)
	whole(t, s, 3)
	if len(l.reasons) != 1 || !strings.Contains(l.reasons[0], "refuses") {
		t.Errorf("%q", l.reasons)
	}
}

// TestTroubleOfTheStoreMakesNoDeadLetter: what is not known to be the record's own fault is tried again, however strange.
func TestTroubleOfTheStoreMakesNoDeadLetter(t *testing.T) {
	r, s, l := newScript(alertMessage(t, 0), alertMessage(t, 1)), openStore(t), &letterbox{}
	broken := errors.New("locking protocol (15)")
	m := &moody{Ingest: s, errs: []error{broken, broken, broken, broken}, before: func() {}}
	consumeAll(t, r, m, l)
	whole(t, s, 2)
	if dead, err := s.DeadLetters(t.Context(), store.Page{}); err != nil || len(dead.Letters)+len(l.reasons) != 0 {
		t.Errorf("%+v, %q, %v", dead.Letters, l.reasons, err)
	}
}

// ended is a reader whose group is gone.
type ended struct{ *script }

func (ended) FetchMessage(context.Context) (kafka.Message, error) { return kafka.Message{}, io.EOF }

func TestEndOfTheReaderEndsTheRun(t *testing.T) {
	if err := New(Config{}, ended{newScript()}, openStore(t), &letterbox{}, newMetrics()).Run(context.Background()); err != nil {
		t.Error(err)
	}
}

func FuzzAccept(f *testing.F) {
	f.Add(value(f, 1), true)
	f.Add([]byte(`{}`), false)
	f.Add([]byte(nil), true)
	f.Fuzz(func(t *testing.T, v []byte, alert bool) {
		topic := schemas.DeviceTopic
		if alert {
			topic = schemas.AlertTopic
		}
		a, err := accept(kafka.Message{Topic: topic, Value: v})
		if err == nil && alert && (a.alert == nil || a.alert.ID == "") {
			t.Error("accepted without an id")
		}
	})
}
