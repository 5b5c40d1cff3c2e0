// SPDX-License-Identifier: Apache-2.0

package subscribe

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"stillwatch/internal/brokers"
	"stillwatch/sensor/internal/publish"
)

const topic = "stillwatch.policy.v1"

func broker(t *testing.T, opts ...kfake.Opt) (addr string, stop func()) {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0], c.Close
}

func write(t *testing.T, addr string, pairs ...string) {
	t.Helper()
	writeOver(t, nil, addr, pairs...)
}

// writeOver writes over a transport; nil: one without TLS and login.
func writeOver(t *testing.T, over kafka.RoundTripper, addr string, pairs ...string) {
	t.Helper()
	w := &kafka.Writer{Transport: over, Addr: kafka.TCP(addr), Topic: topic, Balancer: &kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond}
	var all []kafka.Message
	for i := 0; i < len(pairs); i += 2 {
		m := kafka.Message{Key: []byte(pairs[i])}
		if pairs[i+1] != "" {
			m.Value = []byte(pairs[i+1])
		}
		all = append(all, m)
	}
	if err := errors.Join(w.WriteMessages(t.Context(), all...), w.Close()); err != nil {
		t.Fatal(err)
	}
}

// follow starts a subscription and returns what it delivers and what it reports.
func follow(t *testing.T, addr string) (values <-chan string, told <-chan string) {
	t.Helper()
	return followWith(t, publish.KafkaConfig{Brokers: []string{"127.0.0.1:1", addr}})
}

func followWith(t *testing.T, settings publish.KafkaConfig) (values <-chan string, told <-chan string) {
	t.Helper()
	v, e := make(chan string, 10_000), make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{Kafka: settings, Topic: topic,
			Deliver: func(_ context.Context, all [][]byte) error {
				for _, x := range all {
					v <- string(x)
				}
				return nil
			},
			Report: func(err error) { e <- fmt.Sprint(err) }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return v, e
}

func next(t *testing.T, c <-chan string) string {
	t.Helper()
	select {
	case s := <-c:
		return s
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing came")
		return ""
	}
}

func TestLastOfEachKeyThenTheRest(t *testing.T) {
	addr, _ := broker(t, kfake.SeedTopics(3, topic))
	var pairs, want []string
	for i := range 40 {
		id := fmt.Sprint("p", i)
		pairs = append(pairs, id, id+" version 1", id, id+" version 2")
		want = append(want, id+" version 2")
	}
	write(t, addr, append(pairs, "gone", "version 1", "gone", "")...)
	values, _ := follow(t, addr)
	var got []string
	for range want {
		got = append(got, next(t, values))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	write(t, addr, "p1", "p1 version 3")
	if x := next(t, values); x != "p1 version 3" {
		t.Errorf("then %q", x)
	}
	if len(values) > 0 {
		t.Errorf("also %q", next(t, values))
	}
}

// TestMissingTopicAndBroker checks that a subscription waits for a topic, and reports each error once.
func TestMissingTopicAndBroker(t *testing.T) {
	addr, stop := broker(t)
	values, told := follow(t, addr)
	if x := next(t, told); !strings.Contains(x, topic) {
		t.Errorf("without a topic: %q", x)
	}
	conn, err := kafka.Dial("tcp", addr)
	if err == nil {
		err = errors.Join(conn.CreateTopics(kafka.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}), conn.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for x := next(t, told); x != "<nil>"; x = next(t, told) {
		t.Logf("until then: %q", x)
	}
	write(t, addr, "a", "1")
	if x := next(t, values); x != "1" {
		t.Errorf("%q", x)
	}
	stop()
	if x := next(t, told); x == "<nil>" {
		t.Error("nothing is said of the broker that is away")
	}
}

// TestSettingsOfTheConnection checks that the topic is read with the TLS and SASL settings with which the sensor publishes: a broker that requires
// both answers, and one of them wrong or missing is an error.
func TestSettingsOfTheConnection(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS() // only for its certificate
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, _ := broker(t, kfake.SeedTopics(1, topic), kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}),
		kfake.EnableSASL(), kfake.Superuser("PLAIN", "sensor", "secret"))
	right := publish.KafkaConfig{Brokers: []string{addr}, TLS: &brokers.TLS{CA: ca, ServerName: "127.0.0.1"}, SASL: &brokers.SASL{Mechanism: "PLAIN", User: "sensor", Password: "secret"}}
	d, err := right.Dialer()
	if err != nil {
		t.Fatal(err)
	}
	writeOver(t, &kafka.Transport{TLS: d.TLS, SASL: d.SASLMechanism}, addr, "a", "1")
	values, told := followWith(t, right)
	if x := next(t, told); x != "<nil>" {
		t.Errorf("with the right settings: %s", x)
	}
	if x := next(t, values); x != "1" {
		t.Errorf("%q", x)
	}
	password, noLogin, noTLS, stranger := right, right, right, right
	password.SASL = &brokers.SASL{Mechanism: "PLAIN", User: "sensor", Password: "wrong"}
	noLogin.SASL, noTLS.TLS, stranger.TLS = nil, nil, &brokers.TLS{ServerName: "127.0.0.1"}
	for name, settings := range map[string]publish.KafkaConfig{"wrong password": password, "no login": noLogin, "no TLS": noTLS, "unknown authority": stranger} {
		values, told := followWith(t, settings)
		if x := next(t, told); x == "<nil>" || len(values) > 0 || strings.Contains(x, "secret") {
			t.Errorf("%s: %s, %d values", name, x, len(values))
		}
	}
}

// TestPace checks that somebody who fills the topic does not fill the sensor.
func TestPace(t *testing.T) {
	n := 0
	c := Config{Deliver: func(_ context.Context, all [][]byte) error { n += len(all); return nil }}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	p := &pace{}
	for err := error(nil); err == nil; err = c.deliver(ctx, p, [][]byte{{1}}) {
	}
	if n == 0 || n > 2*maxPending {
		t.Errorf("%d values within half a second", n)
	}
}
