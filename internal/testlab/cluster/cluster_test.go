// SPDX-License-Identifier: Apache-2.0

package cluster_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"stillwatch/internal/testlab/cluster"
	"stillwatch/internal/testlab/kafkatest"
)

func produce(ctx context.Context, cl *kafka.Client, topic, value string) error {
	res, err := cl.Produce(ctx, &kafka.ProduceRequest{Topic: topic, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte(value))})})
	if err != nil {
		return err
	}
	return res.Error
}

func tlsOf(t *testing.T, c *cluster.Cluster, client bool) *tls.Config {
	t.Helper()
	ca, err := os.ReadFile(c.CA())
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	cfg.RootCAs.AppendCertsFromPEM(ca)
	if client {
		cert, err := tls.LoadX509KeyPair(c.ClientCert(), c.ClientKey())
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg
}

func TestEveryListenerTakesRecords(t *testing.T) {
	c := kafkatest.Start(t, cluster.Options{})
	kafkatest.Topic(t, c, "t", 1, nil)
	sha256, err := scram.Mechanism(scram.SHA256, "sensor", cluster.Password("sensor"))
	if err != nil {
		t.Fatal(err)
	}
	sha512, err := scram.Mechanism(scram.SHA512, "collector", cluster.Password("collector"))
	if err != nil {
		t.Fatal(err)
	}
	pw := plain.Mechanism{Username: "analyst", Password: cluster.Password("analyst")}
	for name, l := range map[string]struct {
		listener  string
		mechanism sasl.Mechanism
		tls       *tls.Config
	}{
		"plaintext":        {cluster.Plaintext, nil, nil},
		"plain":            {cluster.SASLPlaintext, pw, nil},
		"scram-sha-256":    {cluster.SASLPlaintext, sha256, nil},
		"plain, TLS":       {cluster.SASLTLS, pw, tlsOf(t, c, false)},
		"scram-512, TLS":   {cluster.SASLTLS, sha512, tlsOf(t, c, false)},
		"certificate, TLS": {cluster.MutualTLS, nil, tlsOf(t, c, true)},
	} {
		t.Run(name, func(t *testing.T) {
			tr := &kafka.Transport{SASL: l.mechanism, TLS: l.tls}
			defer tr.CloseIdleConnections()
			cl := &kafka.Client{Addr: kafka.TCP(c.Brokers(l.listener)), Timeout: 20 * time.Second, Transport: tr}
			if err := produce(t.Context(), cl, "t", name); err != nil {
				t.Error(err)
			}
		})
	}
	again, err := cluster.Open(t.Context(), c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Nodes[0].Running() || again.Brokers(cluster.Plaintext) != c.Brokers(cluster.Plaintext) {
		t.Error("the folder does not tell of the running broker")
	}
}

func TestLeaderChangesAndComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("three brokers: left out by -short")
	}
	c := kafkatest.Start(t, cluster.Options{Brokers: 3})
	kafkatest.Topic(t, c, "t", 1, map[string]string{"min.insync.replicas": "2"})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	leaders, err := c.Leaders(ctx, "t")
	if err != nil {
		t.Fatal(err)
	}
	old := c.Nodes[leaders[0]-1]
	if err := old.Kill(); err != nil {
		t.Fatal(err)
	}
	for {
		if now, err := c.Leaders(ctx, "t"); err == nil && now[0] != 0 && now[0] != old.ID {
			break
		} else if ctx.Err() != nil {
			t.Fatal("no other broker has become the leader")
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := old.Start(ctx); err != nil {
		t.Error(err)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	for _, n := range c.Nodes {
		if n.Running() {
			t.Errorf("broker %d runs on", n.ID)
		}
	}
}
