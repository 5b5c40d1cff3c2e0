// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
	"stillwatch/schemas"
)

// deliveries is how many alerts each of these tests sends.
const deliveries = 10_000

// numberedAlert returns an alert whose ID contains its number.
func numberedAlert(i int) *schemas.Alert {
	f := fullAlert{sensor: schemas.AlertSensor{ID: "hq-span-1", Site: "hq"}}
	a := f.next(uint64(i)+1, time.Unix(1_700_000_000, int64(i)))
	a.ID = numberedID(i)
	a.Device.Key = fmt.Sprintf("ip:10.20.10.%d@hq", i%200)
	a.Severity = []string{"low", "medium", "high", "critical"}[i%4]
	return a
}

// numberedID returns an id of 26 letters in the alphabet of base32.
func numberedID(i int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	id := []byte(strings.Repeat("a", 26))
	for at := 25; i > 0; at, i = at-1, i/32 {
		id[at] = letters[i%32]
	}
	return string(id)
}

func publisher(t testing.TB, dir string, brokers string) *Publisher {
	t.Helper()
	p, err := NewPublisher(PublisherConfig{Dir: dir, Kafka: KafkaConfig{Brokers: strings.Split(brokers, ","), Timeout: 5 * time.Second},
		Sensor: schemas.AlertSensor{ID: "hq-span-1"}}, NewSequencer(true))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func send(t testing.TB, p *Publisher, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		a := numberedAlert(i)
		p.sequencer.Stamp(a)
		if err := p.Alert(a); err != nil {
			t.Fatal(err)
		}
	}
}

// arrived checks that Kafka has every alert at least once and nothing else. It reports how many arrived more than once.
func arrived(t *testing.T, c *cluster.Cluster, partitions int) {
	t.Helper()
	missing := map[string]bool{}
	for i := range deliveries {
		missing[numberedID(i)+".1"] = true
	}
	seen, again := map[string]bool{}, 0
	for _, m := range consume(t, c, schemas.AlertTopic, partitions, deliveries) {
		id := ""
		for _, h := range m.Headers {
			if h.Key == "ce_id" {
				id = string(h.Value)
			}
		}
		if !missing[id] && !seen[id] {
			t.Fatalf("%q was never sent", id)
		}
		if seen[id] {
			again++
		}
		seen[id] = true
		delete(missing, id)
	}
	if len(missing) > 0 || len(seen) != deliveries {
		t.Errorf("%d of %d alerts did not arrive", len(missing), deliveries)
	}
	t.Logf("%d alerts arrived, %d of them more than once", len(seen), again)
}

func delivered(t *testing.T, p *Publisher) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := p.Wait(ctx, 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestStampedAlertsAreValid(t *testing.T) {
	s := NewSequencer(false)
	for i := range 3 {
		a := numberedAlert(i)
		s.Stamp(a)
		line, err := schemas.AppendAlert(nil, a)
		if err == nil {
			err = schemas.Validate(schemas.KindAlert, line)
		}
		if err != nil {
			t.Errorf("%v\n%s", err, line)
		}
	}
}

func TestDeliveryAfterABrokerOutage(t *testing.T) {
	c := kafkatest.Start(t, cluster.Options{})
	kafkatest.Topic(t, c, schemas.AlertTopic, 4, nil)
	p := publisher(t, t.TempDir(), c.Brokers(cluster.Plaintext))
	send(t, p, 0, 4000)
	waitFor(t, "some to arrive", func() bool { return p.Spool().Acked > 1000 })
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	send(t, p, 4000, 8000)
	waitFor(t, "the trouble to be seen", func() bool { return len(p.Ready()) > 0 })
	if s := p.Spool(); s.Records < 4000 || p.spool.Sync() != nil {
		t.Errorf("the broker is away, and %d records are kept", s.Records)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	send(t, p, 8000, deliveries)
	delivered(t, p)
	if len(p.Ready()) > 0 {
		t.Errorf("all is well, and yet: %v", p.Ready())
	}
	arrived(t, c, 4)
}
