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

	"stillwatch/collector/internal/sample"
	"stillwatch/collector/internal/store"
	"stillwatch/internal/testlab/mutate"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

// scriptedReader is a Reader that returns prepared messages, then blocks, and records commits.
type scriptedReader struct {
	mu        sync.Mutex
	messages  []kafka.Message
	total     int
	committed []int64
	drained   chan struct{} // closed when all are committed
}

func newReader(messages ...kafka.Message) *scriptedReader {
	for i := range messages {
		messages[i].Offset = int64(i)
	}
	return &scriptedReader{messages: messages, total: len(messages), drained: make(chan struct{})}
}

func (s *scriptedReader) FetchMessage(ctx context.Context) (kafka.Message, error) {
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

func (s *scriptedReader) CommitMessages(_ context.Context, ms ...kafka.Message) error {
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

func (s *scriptedReader) Close() error { return nil }

// fakeQueue is a DeadLetterQueue that first returns the given errors.
type fakeQueue struct {
	errs    []error
	reasons []string
}

func (l *fakeQueue) Send(_ context.Context, m kafka.Message, reason string) error {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return err
	}
	l.reasons = append(l.reasons, fmt.Sprintf("%d %s", m.Offset, reason))
	return nil
}

// consumeAll runs a consumer until all messages are committed.
func consumeAll(t *testing.T, r *scriptedReader, s store.Ingest, l DeadLetterQueue) {
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

func TestRejectedRecordsGoToDeadLetterQueue(t *testing.T) {
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
	r, s, l := newReader(messages...), openStore(t), &fakeQueue{errs: []error{errors.New("for now"), ErrUndeliverable}}
	consumeAll(t, r, s, l)
	sample.CheckStored(t, s, good)
	dead, err := s.DeadLetters(context.Background(), store.Page{})
	if err != nil || len(dead.Records) != len(bad) || len(l.reasons) != len(bad)-1 {
		t.Errorf("%d in the database, %d in the topic, want %d and one less; %v", len(dead.Records), len(l.reasons), len(bad), err)
	}
	for _, d := range dead.Records {
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

// flakyStore is a store that first returns the given errors.
type flakyStore struct {
	store.Ingest
	errs   []error
	before func() // called at each failure
}

func (m *flakyStore) Apply(ctx context.Context, b store.Batch) (store.Applied, error) {
	if len(m.errs) > 0 {
		err := m.errs[0]
		m.errs = m.errs[1:]
		m.before()
		return store.Applied{}, err
	}
	return m.Ingest.Apply(ctx, b)
}

func TestCommitAfterStore(t *testing.T) {
	r, s := newReader(alertMessage(t, 0), alertMessage(t, 1)), openStore(t)
	retry := fmt.Errorf("%w: disk full", store.ErrRetry)
	m := &flakyStore{Ingest: s, errs: []error{retry, retry, retry}, before: func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.committed) > 0 {
			t.Error("committed before it was stored")
		}
	}}
	consumeAll(t, r, m, &fakeQueue{})
	sample.CheckStored(t, s, 2)
}

// rejectingStore rejects one record.
type rejectingStore struct {
	store.Ingest
	bad string
}

func (c rejectingStore) Apply(ctx context.Context, b store.Batch) (store.Applied, error) {
	for _, a := range b.Alerts {
		if a.Alert.ID == c.bad {
			return store.Applied{}, fmt.Errorf("%w: constraint", store.ErrRejected)
		}
	}
	return c.Ingest.Apply(ctx, b)
}

func TestRecordRejectedByStore(t *testing.T) {
	r, s, l := newReader(alertMessage(t, 0), alertMessage(t, 1), alertMessage(t, 9), alertMessage(t, 2)), openStore(t), &fakeQueue{}
	consumeAll(t, r, rejectingStore{s, alertID(9)}, l)
	sample.CheckStored(t, s, 3)
	if len(l.reasons) != 1 || !strings.Contains(l.reasons[0], "rejected") {
		t.Errorf("%q", l.reasons)
	}
}

// TestUnknownStoreErrorIsRetried checks that records are not rejected because of unknown errors of the store.
func TestUnknownStoreErrorIsRetried(t *testing.T) {
	r, s, l := newReader(alertMessage(t, 0), alertMessage(t, 1)), openStore(t), &fakeQueue{}
	broken := errors.New("locking protocol (15)")
	m := &flakyStore{Ingest: s, errs: []error{broken, broken, broken, broken}, before: func() {}}
	consumeAll(t, r, m, l)
	sample.CheckStored(t, s, 2)
	if dead, err := s.DeadLetters(t.Context(), store.Page{}); err != nil || len(dead.Records)+len(l.reasons) != 0 {
		t.Errorf("%+v, %q, %v", dead.Records, l.reasons, err)
	}
}

// ended is a reader that is closed.
type ended struct{ *scriptedReader }

func (ended) FetchMessage(context.Context) (kafka.Message, error) { return kafka.Message{}, io.EOF }

func TestRunEndsWithReader(t *testing.T) {
	if err := New(Config{}, ended{newReader()}, openStore(t), &fakeQueue{}, newMetrics()).Run(context.Background()); err != nil {
		t.Error(err)
	}
}

func FuzzAccept(f *testing.F) {
	f.Add(value(f, 1), true)
	f.Add([]byte(`{}`), false)
	f.Add([]byte(nil), true)
	mutate.Fuzz(f, func(t *testing.T, v []byte, alert bool) {
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
