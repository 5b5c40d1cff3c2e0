// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/internal/brokers"
	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
)

// consume reads a topic until so many messages have come, or nothing more comes.
func consume(t *testing.T, c *cluster.Cluster, topic string, partitions, want int) (all []kafka.Message) {
	t.Helper()
	for p := range partitions {
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: strings.Split(c.Brokers(cluster.Plaintext), ","), Topic: topic, Partition: p, MaxWait: 50 * time.Millisecond})
		last, err := lastOffset(t.Context(), c, topic, p)
		if err != nil {
			t.Fatal(err)
		}
		for n := int64(0); n < last; {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			m, err := r.ReadMessage(ctx)
			cancel()
			if err != nil {
				t.Fatalf("topic %s, partition %d: %d of %d read: %v", topic, p, n, last, err)
			}
			n = m.Offset + 1
			all = append(all, m)
		}
		_ = r.Close()
	}
	if len(all) < want {
		t.Errorf("topic %s holds %d records, want %d", topic, len(all), want)
	}
	return all
}

// lastOffset returns the number of records of a partition. A new leader may not know yet that it is one: then it is asked again.
func lastOffset(ctx context.Context, c *cluster.Cluster, topic string, p int) (int64, error) {
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		res, err := c.Client().ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.LastOffsetOf(p)}}})
		if err != nil {
			return 0, err
		}
		o := res.Topics[topic][0]
		var code kafka.Error
		if errors.As(o.Error, &code) && code.Temporary() && time.Now().Before(deadline) {
			continue
		}
		return o.LastOffset, o.Error
	}
}

// startDrain drains until the test ends.
func startDrain(t *testing.T, s *Spool, cfg KafkaConfig) *Drain {
	t.Helper()
	d, err := NewDrain(s, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return d
}

func plainConfig(c *cluster.Cluster) KafkaConfig {
	return KafkaConfig{Brokers: strings.Split(c.Brokers(cluster.Plaintext), ",")}
}

func emptied(t *testing.T, s *Spool, d *Drain) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); s.Stats().Records > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d records do not arrive: %v", s.Stats().Records, d.Stats().Fault)
		}
	}
}

func TestDrainToRealKafka(t *testing.T) {
	c := kafkatest.Start(t, cluster.Options{})
	tlsPlain := KafkaConfig{Brokers: []string{c.Brokers(cluster.SASLTLS)}, TLS: &brokers.TLS{CA: c.CA()},
		SASL: &brokers.SASL{Mechanism: "SCRAM-SHA-512", User: "sensor", Password: cluster.Password("sensor")}}
	t.Run("delivers", func(t *testing.T) { testDelivers(t, c) })
	t.Run("rejected record", func(t *testing.T) { testRejected(t, c) })
	t.Run("signed in", func(t *testing.T) {
		for i, cfg := range []KafkaConfig{
			tlsPlain,
			{Brokers: []string{c.Brokers(cluster.SASLPlaintext)}, SASL: &brokers.SASL{Mechanism: "PLAIN", User: "sensor", Password: cluster.Password("sensor")}},
			{Brokers: []string{c.Brokers(cluster.SASLPlaintext)}, SASL: &brokers.SASL{Mechanism: "SCRAM-SHA-256", User: "sensor", Password: cluster.Password("sensor")}},
			{Brokers: []string{c.Brokers(cluster.MutualTLS)}, TLS: &brokers.TLS{CA: c.CA(), Cert: c.ClientCert(), Key: c.ClientKey()}},
		} {
			topic := fmt.Sprintf("signed-in-%d", i)
			kafkatest.Topic(t, c, topic, 1, nil)
			s := openSpool(t, t.TempDir(), SpoolOptions{})
			d := startDrain(t, s, cfg)
			if _, err := s.Append(Record{Topic: topic, Value: []byte("v")}); err != nil {
				t.Fatal(err)
			}
			emptied(t, s, d)
			consume(t, c, topic, 1, 1)
		}
	})
	t.Run("wrong settings", func(t *testing.T) { testWrongSettings(t, c) })
	t.Run("check", func(t *testing.T) { testCheck(t, c) })
}

func testDelivers(t *testing.T, c *cluster.Cluster) {
	kafkatest.Topic(t, c, "delivers", 4, nil)
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	d := startDrain(t, s, plainConfig(c))
	const n = 5000
	for i := range n {
		r := Record{Rank: RankLow, Topic: "delivers", Key: fmt.Sprintf("mac:%d", i%17), Headers: []Header{{"ce_id", fmt.Sprint(i)}, {"sw_seq", "7"}}, Value: fmt.Appendf(nil, "%d %s", i, strings.Repeat("x", 1000))}
		if _, err := s.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	emptied(t, s, d)
	if st := d.Stats(); st.Produced["delivers"] != n || st.Fault != nil {
		t.Errorf("%+v", st)
	}
	where, last := map[string]int{}, map[string]int{}
	for _, m := range consume(t, c, "delivers", 4, n) {
		key := string(m.Key)
		if p, ok := where[key]; ok && p != m.Partition {
			t.Errorf("key %s is in two partitions", key)
		}
		where[key] = m.Partition
		var i int
		if _, err := fmt.Sscan(string(m.Value), &i); err != nil || i < last[key] {
			t.Errorf("key %s: %d after %d (%v)", key, i, last[key], err)
		}
		last[key] = i
		if len(m.Headers) != 2 || string(m.Headers[0].Value) != fmt.Sprint(i) || m.Headers[1].Key != "sw_seq" {
			t.Errorf("headers %v", m.Headers)
		}
	}
	// As Java's producer has it: murmur2("21") = -973932308, murmur2("foobar") = -790332482.
	hash := kafka.Murmur2Balancer{Consistent: true}
	for key, want := range map[string]int{"21": (-973932308 & 0x7fffffff) % 4, "foobar": (-790332482 & 0x7fffffff) % 4} {
		if got := hash.Balance(kafka.Message{Key: []byte(key)}, 0, 1, 2, 3); got != want {
			t.Errorf("key %s goes to partition %d, want %d", key, got, want)
		}
	}
}

// testRejected puts records that are too large between others.
func testRejected(t *testing.T, c *cluster.Cluster) {
	kafkatest.Topic(t, c, "narrow", 1, map[string]string{"max.message.bytes": "2000"})
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{})
	for i := range 50 {
		value := fmt.Sprint("small ", i)
		if i%10 == 3 {
			value = noise(6000)
		}
		if _, err := s.Append(Record{Topic: "narrow", Key: "k", Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	d := startDrain(t, s, plainConfig(c))
	emptied(t, s, d)
	if st := d.Stats(); st.Rejected != 5 || st.Produced["narrow"] != 45 {
		t.Errorf("%+v, want 5 rejected and 45 produced", st)
	}
	consume(t, c, "narrow", 1, 45)
	side := string(slurp(t, filepath.Join(dir, "dead-letter.jsonl")))
	if n := strings.Count(side, "\n"); n != 5 || !strings.Contains(side, "larger than topic narrow allows") {
		t.Errorf("the dead-letter file has %d lines:\n%.300s", n, side)
	}
}

// noise cannot be compressed below half.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = "0123456789abcdefghijklmnopqrstuv"[x>>27]
	}
	return string(b)
}

func testWrongSettings(t *testing.T, c *cluster.Cluster) {
	kafkatest.Topic(t, c, "there", 1, nil)
	kafkatest.Topic(t, c, "forbidden", 1, nil)
	_, err := c.Client().CreateACLs(t.Context(), &kafka.CreateACLsRequest{ACLs: []kafka.ACLEntry{{ResourceType: kafka.ResourceTypeTopic, ResourceName: "forbidden",
		ResourcePatternType: kafka.PatternTypeLiteral, Principal: "User:analyst", Host: "*", Operation: kafka.ACLOperationTypeRead, PermissionType: kafka.ACLPermissionTypeAllow}}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	foreign := filepath.Join(t.TempDir(), "foreign.pem")
	other, err := cluster.ForeignAuthority()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, other, 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(l string) []string { return []string{c.Brokers(l)} }
	good := cluster.Password("sensor")
	tlsOn := &brokers.TLS{CA: c.CA()}
	for _, w := range []struct {
		name  string
		cfg   KafkaConfig
		topic string
		cause Cause
		says  string
	}{
		{"closed port", KafkaConfig{Brokers: []string{closedPort}}, "there", brokers.Unreachable, "connection refused"},
		{"unknown name", KafkaConfig{Brokers: []string{"no-such-host.invalid:9092"}}, "there", brokers.Unreachable, "no-such-host.invalid"},
		{"port of a web server", KafkaConfig{Brokers: []string{strings.TrimPrefix(web.URL, "http://")}}, "there", brokers.Timeout, "check that this is a Kafka port"},
		{"no TLS to a TLS port", KafkaConfig{Brokers: at(cluster.MutualTLS)}, "there", brokers.Protocol, "requires TLS"},
		{"TLS to a port without", KafkaConfig{Brokers: at(cluster.Plaintext), TLS: tlsOn}, "there", brokers.Protocol, "does not speak TLS"},
		{"wrong CA", KafkaConfig{Brokers: at(cluster.SASLTLS), TLS: &brokers.TLS{CA: foreign}, SASL: &brokers.SASL{Mechanism: "PLAIN", User: "sensor", Password: good}}, "there", brokers.Authority, "not signed by the authority of " + foreign},
		{"wrong name", KafkaConfig{Brokers: at(cluster.SASLTLS), TLS: &brokers.TLS{CA: c.CA(), ServerName: "kafka.example"}, SASL: &brokers.SASL{Mechanism: "PLAIN", User: "sensor", Password: good}}, "there", brokers.Authority, "kafka.example"},
		{"no client certificate", KafkaConfig{Brokers: at(cluster.MutualTLS), TLS: tlsOn}, "there", brokers.ClientCert, "client certificate"},
		{"no SASL", KafkaConfig{Brokers: at(cluster.SASLPlaintext)}, "there", brokers.Protocol, "SASL"},
		{"SASL to a port without", KafkaConfig{Brokers: at(cluster.Plaintext), SASL: &brokers.SASL{Mechanism: "PLAIN", User: "sensor", Password: good}}, "there", brokers.Authenticate, "another port"},
		{"wrong password, PLAIN", KafkaConfig{Brokers: at(cluster.SASLPlaintext), SASL: &brokers.SASL{Mechanism: "PLAIN", User: "sensor", Password: "wrong"}}, "there", brokers.Authenticate, "password"},
		{"wrong password, SCRAM-256", KafkaConfig{Brokers: at(cluster.SASLPlaintext), SASL: &brokers.SASL{Mechanism: "SCRAM-SHA-256", User: "sensor", Password: "wrong"}}, "there", brokers.Authenticate, "password"},
		{"wrong password, SCRAM-512, TLS", KafkaConfig{Brokers: at(cluster.SASLTLS), TLS: tlsOn, SASL: &brokers.SASL{Mechanism: "SCRAM-SHA-512", User: "sensor", Password: "wrong"}}, "there", brokers.Authenticate, "password"},
		{"unknown user", KafkaConfig{Brokers: at(cluster.SASLPlaintext), SASL: &brokers.SASL{Mechanism: "SCRAM-SHA-512", User: "nobody", Password: good}}, "there", brokers.Authenticate, `user "nobody"`},
		{"missing topic", KafkaConfig{Brokers: at(cluster.Plaintext)}, "missing", CauseNoTopic, "there is no topic missing"},
		{"missing right", KafkaConfig{Brokers: at(cluster.SASLPlaintext), SASL: &brokers.SASL{Mechanism: "PLAIN", User: "sensor", Password: good}}, "forbidden", CauseAuthorization, `user "sensor" has no right to write to topic forbidden`},
	} {
		t.Run(w.name, func(t *testing.T) {
			w.cfg.Timeout = 4 * time.Second
			s := openSpool(t, t.TempDir(), SpoolOptions{})
			if _, err := s.Append(Record{Topic: w.topic, Key: "k", Value: []byte("v")}); err != nil {
				t.Fatal(err)
			}
			d := startDrain(t, s, w.cfg)
			waitFor(t, "an error", func() bool { return d.Stats().Fault != nil })
			var e *DeliveryError
			if err := d.Stats().Fault; !errors.As(err, &e) || e.Cause != w.cause || !strings.Contains(e.Error(), w.says) {
				t.Errorf("gave %s: %v\n(%v)\nwant %s with %q", e.Cause, err, e.Err, w.cause, w.says)
			}
			t.Log(d.Stats().Fault)
			if st := s.Stats(); st.Records != 1 || d.Stats().Errors[w.cause] == 0 {
				t.Errorf("the record is not kept, or nothing was counted: %+v, %+v", st, d.Stats())
			}
		})
	}
}

// closedPort is an address on which nothing listens. No connection gets it by chance, as it may get a port that was free a moment ago.
const closedPort = "127.0.0.1:1"

func TestBadKafkaFiles(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	spill(t, empty, nil)
	s := openSpool(t, filepath.Join(dir, "spool"), SpoolOptions{})
	for says, cfg := range map[string]KafkaConfig{
		"no brokers are configured": {},
		"no such file":              {Brokers: []string{"a:1"}, TLS: &brokers.TLS{CA: filepath.Join(dir, "none")}},
		"no PEM certificate":        {Brokers: []string{"a:1"}, TLS: &brokers.TLS{CA: empty}},
		"needs both cert and key":   {Brokers: []string{"a:1"}, TLS: &brokers.TLS{Cert: empty}},
		"client certificate":        {Brokers: []string{"a:1"}, TLS: &brokers.TLS{Cert: empty, Key: empty}},
		`SASL mechanism "GSSAPI"`:   {Brokers: []string{"a:1"}, SASL: &brokers.SASL{Mechanism: "GSSAPI"}},
	} {
		if _, err := NewDrain(s, cfg, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("gave %v, want %q", err, says)
		}
	}
}
