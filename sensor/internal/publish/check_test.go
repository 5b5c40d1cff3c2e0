// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"errors"
	"strings"
	"testing"

	"stillwatch/internal/brokers"
	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
)

// testCheck asks real Kafka after testWrongSettings, which has made the topic that is forbidden.
func testCheck(t *testing.T, c *cluster.Cluster) {
	kafkatest.Topic(t, c, "checked", 3, map[string]string{"cleanup.policy": "compact"})
	cfg := KafkaConfig{Brokers: []string{closedPort, c.Brokers(cluster.SASLPlaintext)}, SASL: &brokers.SASL{Mechanism: "PLAIN", User: "sensor", Password: cluster.Password("sensor")}}
	asked, topics, err := cfg.Check(t.Context(), []string{"checked", "forbidden", "missing"})
	if err != nil || len(asked) != 2 || len(topics) != 3 {
		t.Fatalf("%+v, %+v, %v", asked, topics, err)
	}
	wantCause(t, asked[0].Err, brokers.Unreachable, "connection refused")
	if asked[1].Err != nil {
		t.Errorf("%s: %v", asked[1].Broker, asked[1].Err)
	}
	is := map[string]TopicCheck{}
	for _, k := range topics {
		is[k.Topic] = k
	}
	if k := is["checked"]; k.Err != nil || k.Partitions != 3 || k.Replicas != 1 || k.Settings["cleanup.policy"] != "compact" || k.Settings["min.insync.replicas"] != "1" {
		t.Errorf("%+v", k)
	}
	wantCause(t, is["forbidden"].Err, CauseAuthorization, "no right to write")
	wantCause(t, is["missing"].Err, CauseNoTopic, "there is no topic missing")
	for p := range 3 {
		if n, err := lastOffset(t.Context(), c, "checked", p); err != nil || n != 0 {
			t.Errorf("partition %d has %d records (%v): a check writes nothing", p, n, err)
		}
	}
}

func wantCause(t *testing.T, err error, cause Cause, says string) {
	t.Helper()
	var e *DeliveryError
	if !errors.As(err, &e) || e.Cause != cause || !strings.Contains(e.Error(), says) {
		t.Errorf("got %v, want %s with %q", err, cause, says)
	}
}

func TestCheckWithoutBroker(t *testing.T) {
	asked, topics, err := KafkaConfig{Brokers: []string{closedPort}}.Check(t.Context(), []string{"a"})
	if err != nil || len(asked) != 1 || len(topics) != 0 {
		t.Fatalf("%+v, %+v, %v", asked, topics, err)
	}
	wantCause(t, asked[0].Err, brokers.Unreachable, "connection refused")
	if _, _, err := (KafkaConfig{Brokers: []string{"127.0.0.1:1"}, SASL: &brokers.SASL{Mechanism: "NTLM"}}).Check(t.Context(), nil); err == nil {
		t.Error("a mechanism that does not exist was taken")
	}
}
