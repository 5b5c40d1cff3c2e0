// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/internal/brokers"
	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
	"stillwatch/internal/testneed"
	"stillwatch/schemas"
)

func TestInvalidConfig(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	addrs := []string{"k:1"}
	for _, c := range []struct {
		s    brokers.Config
		want string
	}{
		{brokers.Config{}, "no brokers"},
		{brokers.Config{Addrs: addrs, TLS: &brokers.TLS{CA: none}}, "no such file"},
		{brokers.Config{Addrs: addrs, TLS: &brokers.TLS{CA: junk}}, "no PEM certificate"},
		{brokers.Config{Addrs: addrs, TLS: &brokers.TLS{Cert: junk, Key: junk}}, "client certificate"},
		{brokers.Config{Addrs: addrs, SASL: &brokers.SASL{Mechanism: "GSSAPI"}}, "use one of PLAIN"},
	} {
		if _, err := New(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.s, err)
		}
	}
}

func TestPlanByNumberOfBrokers(t *testing.T) {
	for number, want := range map[int][2]string{1: {"1", "1"}, 2: {"2", "1"}, 3: {"3", "2"}, 9: {"3", "2"}} {
		for _, topic := range (Plan{}).Topics(number) {
			if got := [2]string{fmt.Sprint(topic.Replicas), topic.Settings["min.insync.replicas"]}; got != want {
				t.Errorf("%d brokers, %s: %v, want %v", number, topic.Name, got, want)
			}
		}
	}
}

// TestTopicsAndAuthentication uses a real Kafka cluster.
func TestTopicsAndAuthentication(t *testing.T) {
	if testing.Short() {
		testneed.Missing(t, testneed.KafkaNeed, "left out by -short")
	}
	c := kafkatest.Start(t, cluster.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	link, err := New(brokers.Config{Addrs: strings.Split(c.Brokers(cluster.Plaintext), ",")})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("missing topics", func(t *testing.T) {
		all, err := link.Check(ctx, Plan{})
		if err != nil || len(all) != 8 || all[0].String() != schemas.AlertTopic+": is missing" {
			t.Errorf("%v, %v", all, err)
		}
	})
	t.Run("different settings are reported and not changed", func(t *testing.T) {
		kafkatest.Topic(t, c, schemas.AlertTopic, 2, map[string]string{"retention.ms": "1000", "max.message.bytes": "9000000", "cleanup.policy": "compact"})
		made, err := link.Init(ctx, Plan{})
		if err != nil || len(made) != 7 {
			t.Fatalf("%v, %v", made, err)
		}
		want := []string{
			"stillwatch.alerts.v1: partitions is 2, should be 6 or more",
			"stillwatch.alerts.v1: cleanup.policy is compact, should be delete",
			"stillwatch.alerts.v1: retention.ms is 1000, should be 2592000000",
		}
		var got []string
		for range 2 { // the second Init has nothing to do
			all, err := link.Check(ctx, Plan{})
			if err != nil {
				t.Fatal(err)
			}
			got = nil
			for _, d := range all {
				got = append(got, d.String())
			}
			if made, err := link.Init(ctx, Plan{}); err != nil || len(made) != 0 {
				t.Errorf("again: %v, %v", made, err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
	t.Run("connections", func(t *testing.T) { connections(t, c) })
	t.Run("wrong settings", func(t *testing.T) { wrongSettings(t, c) })
}

// ask connects as the collector does: with single requests and as a group reader.
func ask(t *testing.T, w brokers.Config) (byClient, byReader error) {
	t.Helper()
	link, err := New(w)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	_, byClient = link.Client("test").Metadata(ctx, &kafka.MetadataRequest{})
	return link.Explain(byClient), link.Explain(asReader(ctx, link))
}

func signed(mechanism, user, password string) *brokers.SASL {
	return &brokers.SASL{Mechanism: mechanism, User: user, Password: password}
}

func connections(t *testing.T, c *cluster.Cluster) {
	right := cluster.Password("collector")
	for name, w := range map[string]brokers.Config{
		"PLAIN":                  {Addrs: []string{c.Brokers(cluster.SASLPlaintext)}, SASL: signed("PLAIN", "collector", right)},
		"SCRAM-SHA-256":          {Addrs: []string{c.Brokers(cluster.SASLPlaintext)}, SASL: signed("SCRAM-SHA-256", "collector", right)},
		"SCRAM-SHA-512 over TLS": {Addrs: []string{c.Brokers(cluster.SASLTLS)}, TLS: &brokers.TLS{CA: c.CA()}, SASL: signed("SCRAM-SHA-512", "collector", right)},
		"client certificate":     {Addrs: []string{c.Brokers(cluster.MutualTLS)}, TLS: &brokers.TLS{CA: c.CA(), Cert: c.ClientCert(), Key: c.ClientKey()}},
	} {
		if a, b := ask(t, w); a != nil || b != nil {
			t.Errorf("%s: %v, %v", name, a, b)
		}
	}
}

// wrongSettings checks that each error is one line that says what is wrong.
func wrongSettings(t *testing.T, c *cluster.Cluster) {
	foreign := filepath.Join(t.TempDir(), "foreign.pem")
	other, err := cluster.ForeignAuthority()
	if err == nil {
		err = os.WriteFile(foreign, other, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	at := func(listener string) []string { return []string{c.Brokers(listener)} }
	ours, right := &brokers.TLS{CA: c.CA()}, cluster.Password("collector")
	for _, x := range []struct {
		name string
		way  brokers.Config
		want string
	}{
		{"no TLS to a TLS port", brokers.Config{Addrs: at(cluster.MutualTLS)}, "requires TLS"},
		{"TLS to a port without", brokers.Config{Addrs: at(cluster.Plaintext), TLS: ours}, "does not speak TLS"},
		{"another authority", brokers.Config{Addrs: at(cluster.SASLTLS), TLS: &brokers.TLS{CA: foreign}, SASL: signed("PLAIN", "collector", right)}, "not signed by the authority of " + foreign},
		{"the authorities of the system", brokers.Config{Addrs: at(cluster.SASLTLS), TLS: &brokers.TLS{}, SASL: signed("PLAIN", "collector", right)}, "set ca under tls"},
		{"another name", brokers.Config{Addrs: at(cluster.SASLTLS), TLS: &brokers.TLS{CA: c.CA(), ServerName: "kafka.example"}, SASL: signed("PLAIN", "collector", right)}, "kafka.example"},
		{"no client certificate", brokers.Config{Addrs: at(cluster.MutualTLS), TLS: ours}, "client certificate"},
		{"no sign-in", brokers.Config{Addrs: at(cluster.SASLPlaintext)}, "SASL"},
		{"sign-in at a port without", brokers.Config{Addrs: at(cluster.Plaintext), SASL: signed("PLAIN", "collector", right)}, "another"},
		{"wrong password, PLAIN", brokers.Config{Addrs: at(cluster.SASLPlaintext), SASL: signed("PLAIN", "collector", "wrong")}, "password"},
		{"wrong password, SCRAM-256", brokers.Config{Addrs: at(cluster.SASLPlaintext), SASL: signed("SCRAM-SHA-256", "collector", "wrong")}, "password"},
		{"wrong password, SCRAM-512 over TLS", brokers.Config{Addrs: at(cluster.SASLTLS), TLS: ours, SASL: signed("SCRAM-SHA-512", "collector", "wrong")}, "password"},
		{"unknown user", brokers.Config{Addrs: at(cluster.SASLPlaintext), SASL: signed("SCRAM-SHA-512", "nobody", right)}, `user "nobody"`},
	} {
		t.Run(x.name, func(t *testing.T) {
			byClient, byReader := ask(t, x.way)
			for _, err := range []error{byClient, byReader} {
				if text := fmt.Sprint(err); !strings.Contains(text, x.want) || !strings.HasPrefix(text, "kafka 127.0.0.1:") || strings.Contains(text, "\n") {
					t.Errorf("%s\nwant %q", text, x.want)
				}
			}
			t.Log(byClient)
		})
	}
}

// asReader connects like a group reader. With TLS 1.3 a client learns only from the first response that it is rejected.
func asReader(ctx context.Context, link *Link) error {
	conn, err := link.Dialer("test").DialContext(ctx, "tcp", link.Brokers()[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Brokers()
	return err
}
