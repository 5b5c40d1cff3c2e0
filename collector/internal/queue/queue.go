// SPDX-License-Identifier: Apache-2.0

// Package queue connects the collector to Kafka and manages its topics.
package queue

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"

	"stillwatch/internal/brokers"
)

// Link holds the connection settings.
type Link struct {
	config    brokers.Config
	tls       *tls.Config
	mechanism sasl.Mechanism
}

// dialTimeout is how long a broker may take to accept a connection.
const dialTimeout = 10 * time.Second

// New reads the files of the configuration. It does not connect.
func New(c brokers.Config) (*Link, error) {
	if len(c.Addrs) == 0 {
		return nil, errors.New("kafka: no brokers configured")
	}
	l := &Link{config: c}
	var err error
	if l.tls, err = c.TLS.Config(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	if l.mechanism, err = c.SASL.Client(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return l, nil
}

// Brokers returns the addresses of the bootstrap brokers.
func (l *Link) Brokers() []string { return l.config.Addrs }

// Dialer returns the dialer for a group reader.
func (l *Link) Dialer(id string) *kafka.Dialer {
	return &kafka.Dialer{ClientID: id, Timeout: dialTimeout, DualStack: true, TLS: l.tls, SASLMechanism: l.mechanism}
}

// Client returns the client for single requests. It requests metadata of the collector's topics by name, because only then does a broker
// distinguish a missing topic from missing permissions.
func (l *Link) Client(id string) *kafka.Client { return l.client(id, allTopics()) }

func (l *Link) client(id string, topics []string) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(l.config.Addrs...), Timeout: 30 * time.Second,
		Transport: &kafka.Transport{ClientID: id, DialTimeout: dialTimeout, MetadataTopics: topics, TLS: l.tls, SASL: l.mechanism}}
}
