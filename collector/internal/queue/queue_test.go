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

	"stillwatch/internal/testneed"
	"stillwatch/schemas"
	"stillwatch/scripts/kafka/cluster"
	"stillwatch/scripts/kafka/kafkatest"
)

func TestSettingsThatCannotWork(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	brokers := []string{"k:1"}
	for _, c := range []struct {
		s    Settings
		want string
	}{
		{Settings{}, "no brokers"},
		{Settings{Brokers: brokers, TLS: TLS{On: true, CA: none}}, "no such file"},
		{Settings{Brokers: brokers, TLS: TLS{On: true, CA: junk}}, "no certificate in PEM"},
		{Settings{Brokers: brokers, TLS: TLS{On: true, Cert: junk, Key: junk}}, "client certificate"},
		{Settings{Brokers: brokers, SASL: SASL{Mechanism: "GSSAPI"}}, "are known"},
	} {
		if _, err := New(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.s, err)
		}
	}
}

func TestPlanOfOneAndOfThreeBrokers(t *testing.T) {
	for brokers, want := range map[int][2]string{1: {"1", "1"}, 2: {"2", "1"}, 3: {"3", "2"}, 9: {"3", "2"}} {
		for _, topic := range (Plan{}).Topics(brokers) {
			if got := [2]string{fmt.Sprint(topic.Replicas), topic.Settings["min.insync.replicas"]}; got != want {
				t.Errorf("%d brokers, %s: %v, want %v", brokers, topic.Name, got, want)
			}
		}
	}
}

// TestTopicsAndSignIn asks real Kafka.
func TestTopicsAndSignIn(t *testing.T) {
	if testing.Short() {
		testneed.Missing(t, testneed.KafkaNeed, "left out by -short")
	}
	c := kafkatest.Start(t, cluster.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	link, err := New(Settings{Brokers: strings.Split(c.Brokers(cluster.Plaintext), ",")})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("what is missing is told", func(t *testing.T) {
		all, err := link.Check(ctx, Plan{})
		if err != nil || len(all) != 4 || all[0].String() != schemas.AlertTopic+": is missing" {
			t.Errorf("%v, %v", all, err)
		}
	})
	t.Run("what differs is told and left alone", func(t *testing.T) {
		kafkatest.Topic(t, c, schemas.AlertTopic, 2, map[string]string{"retention.ms": "1000", "max.message.bytes": "9000000", "cleanup.policy": "compact"})
		made, err := link.Init(ctx, Plan{})
		if err != nil || len(made) != 3 {
			t.Fatalf("%v, %v", made, err)
		}
		want := []string{
			"stillwatch.alerts.v1: partitions is 2, should be 6 or more",
			"stillwatch.alerts.v1: cleanup.policy is compact, should be delete",
			"stillwatch.alerts.v1: retention.ms is 1000, should be 2592000000",
		}
		var got []string
		for range 2 { // the second time Init has nothing to do
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
	tls := TLS{On: true, CA: c.CA(), Cert: c.ClientCert(), Key: c.ClientKey()}
	for _, x := range []struct {
		name, listener string
		tls            TLS
		sasl           SASL
		in             bool
	}{
		{"PLAIN", cluster.SASLPlaintext, TLS{}, SASL{"PLAIN", "collector", cluster.Password("collector")}, true},
		{"SCRAM-SHA-256", cluster.SASLPlaintext, TLS{}, SASL{"SCRAM-SHA-256", "collector", cluster.Password("collector")}, true},
		{"SCRAM-SHA-512 over TLS", cluster.SASLTLS, tls, SASL{"SCRAM-SHA-512", "collector", cluster.Password("collector")}, true},
		{"client certificate", cluster.MutualTLS, tls, SASL{}, true},
		{"no client certificate", cluster.MutualTLS, TLS{On: true, CA: c.CA()}, SASL{}, false},
		{"wrong password", cluster.SASLPlaintext, TLS{}, SASL{"SCRAM-SHA-512", "collector", "wrong"}, false},
		{"another authority", cluster.SASLTLS, TLS{On: true}, SASL{"SCRAM-SHA-512", "collector", cluster.Password("collector")}, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			link, err := New(Settings{Brokers: strings.Split(c.Brokers(x.listener), ","), TLS: x.tls, SASL: x.sasl})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			if _, err = link.Client("test").Metadata(ctx, &kafka.MetadataRequest{}); (err == nil) != x.in {
				t.Errorf("the client: %v", err)
			}
			if err := asReader(ctx, link); (err == nil) != x.in {
				t.Errorf("the reader's way: %v", err)
			}
		})
	}
}

// asReader connects as a group reader does. With TLS 1.3 a client learns only from the first answer that it is refused.
func asReader(ctx context.Context, link *Link) error {
	conn, err := link.Dialer("test").DialContext(ctx, "tcp", link.Brokers()[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.ApiVersions()
	return err
}
