// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"encoding/json"
	"testing"
	"time"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
	"stillwatch/schemas"
)

func someStatus(state string) *schemas.Status {
	return &schemas.Status{Schema: schemas.StatusSchema, Sensor: schemas.AlertSensor{ID: "hq-span-1"}, Time: 1, State: state, Tables: []schemas.StatusTable{}}
}

// TestStatusReachesKafka sends two statuses, which a compacted topic keeps under one key.
func TestStatusReachesKafka(t *testing.T) {
	c := kafkatest.Start(t, cluster.Options{})
	kafkatest.Topic(t, c, schemas.StatusTopic, 1, map[string]string{"cleanup.policy": "compact"})
	p, err := NewPublisher(PublisherConfig{Dir: t.TempDir(), Kafka: KafkaConfig{Brokers: []string{c.Brokers(cluster.Plaintext)}},
		Sensor: schemas.AlertSensor{ID: "hq-span-1"}}, NewSequencer(false))
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"running", "stopped"} {
		if err := p.Status(someStatus(state)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Wait(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	all := consume(t, c, schemas.StatusTopic, 1, 2)
	for i, m := range all {
		var s schemas.Status
		if err := schemas.Validate(schemas.KindStatus, m.Value); err != nil || json.Unmarshal(m.Value, &s) != nil {
			t.Errorf("%s: %v", m.Value, err)
		}
		kind := ""
		for _, h := range m.Headers {
			if h.Key == "ce_type" {
				kind = string(h.Value)
			}
		}
		if string(m.Key) != "hq-span-1" || kind != "stillwatch.status" || s.State != []string{"running", "stopped"}[i] {
			t.Errorf("key %s, type %s, %s", m.Key, kind, m.Value)
		}
	}
}

// TestStatusWaitsForTheDelivery stores no more statuses while the broker is away.
func TestStatusWaitsForTheDelivery(t *testing.T) {
	now := time.Unix(1000, 0)
	for oldest, want := range map[int64]bool{0: false, now.UnixNano(): false, now.Add(-10 * time.Second).UnixNano(): false, now.Add(-time.Minute).UnixNano(): true} {
		if got := behind(oldest, now); got != want {
			t.Errorf("oldest record at %d: %v", oldest, got)
		}
	}
}
