// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
)

// TestTopicDoesNotBlockAnother mixes records for a topic that is not there with others, more than a small spool holds.
func TestTopicDoesNotBlockAnother(t *testing.T) {
	c := kafkatest.Start(t, cluster.Options{})
	kafkatest.Topic(t, c, "there", 2, nil)
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{MaxBytes: 1 << 20, SegmentBytes: 32 << 10})
	d := startDrain(t, s, plainConfig(c))
	const rounds, each = 30, 100
	for i := range rounds {
		if _, err := s.Append(Record{Rank: RankSession, Topic: "absent", Key: "k", Value: fmt.Append(nil, "absent ", i)}); err != nil {
			t.Fatal(err)
		}
		for j := range each {
			value := fmt.Sprintf("%d %s", i*each+j, strings.Repeat("x", 1000))
			if _, err := s.Append(Record{Rank: RankHigh, Topic: "there", Key: fmt.Sprint(j % 7), Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
		}
		waitFor(t, "the records of the topic that is there", func() bool { return d.Stats().Produced["there"] == uint64((i+1)*each) })
	}
	waitFor(t, "the others to be left", func() bool { return s.Stats().Records == rounds })
	if st := s.Stats(); st.DroppedTotal() > 0 || st.Acked != rounds*each || d.Stats().Errors[CauseNoTopic] == 0 || d.Stats().Fault == nil {
		t.Errorf("%+v, %+v", st, d.Stats())
	}
	kafkatest.Topic(t, c, "absent", 1, nil)
	emptied(t, s, d)
	for i, m := range consume(t, c, "absent", 1, rounds) {
		if want := fmt.Sprint("absent ", i); string(m.Value) != want {
			t.Errorf("%q comes instead of %q", m.Value, want)
		}
	}
	if n := len(consume(t, c, "there", 2, rounds*each)); n != rounds*each {
		t.Errorf("%d records in the topic that is there, want %d", n, rounds*each)
	}
	waitFor(t, "the fault to be over", func() bool { return d.Stats().Fault == nil })
}

// TestRefusedTimestampIsOmitted sends records whose time the broker refuses.
func TestRefusedTimestampIsOmitted(t *testing.T) {
	c := kafkatest.Start(t, cluster.Options{})
	kafkatest.Topic(t, c, "clock", 1, nil)
	s := openSpool(t, t.TempDir(), SpoolOptions{now: func() time.Time { return time.Now().Add(48 * time.Hour) }})
	told := make(chan error, 100)
	d, err := NewDrain(s, plainConfig(c), func(err error) { told <- err })
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, RankHigh, "no topic") // of topic t, which makes the drain reconnect
	if _, err := s.Append(Record{Topic: "clock", Value: []byte("v")}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	waitFor(t, "the record", func() bool { return d.Stats().Produced["clock"] == 1 })
	stop()
	<-done
	consume(t, c, "clock", 1, 1)
	close(told)
	var texts []string
	for err := range told { // the missing topic may be told before: the two records need not be read together
		var e *DeliveryError
		if errors.As(err, &e) && e.Cause == CauseClock && strings.Contains(e.Text, "set the clock of this machine") {
			return
		}
		texts = append(texts, fmt.Sprint(err))
	}
	t.Errorf("the clock is not told, but %q", texts)
}

// TestMissingTopicIsReportedAtTheSecondAttempt: a topic that is missing at the first attempt only is no trouble to report.
func TestMissingTopicIsReportedAtTheSecondAttempt(t *testing.T) {
	missing := func() map[string]error {
		return map[string]error{"new": &DeliveryError{Cause: CauseNoTopic, Topic: "new", Text: "there is no topic new"}}
	}
	a := &retryQueue{topics: map[string]*topicQueue{}}
	record := []Record{{Index: 1, Topic: "new"}}
	now := time.Now()
	for attempt, want := range []int{0, 1, 1} {
		a.put(a.due(nil, now), record, now)
		failed := missing()
		a.passing(failed)
		if len(failed) != want {
			t.Errorf("attempt %d reports %v, want %d", attempt+1, failed, want)
		}
		now = now.Add(lastPause)
		a.due(nil, now)
	}
	a.put(record, nil, now) // arrived: the next time counts as the first again
	a.put(nil, record, now)
	failed := missing()
	if a.passing(failed); len(failed) != 0 {
		t.Errorf("after an arrival: %v", failed)
	}
}
