// SPDX-License-Identifier: Apache-2.0

// Package queue is how the collector reaches Kafka, and what it wants of the topics there.
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

// Link holds what is needed to connect.
type Link struct {
	config    brokers.Config
	tls       *tls.Config
	mechanism sasl.Mechanism
}

// dialTimeout is how long a broker may take to answer a connection.
const dialTimeout = 10 * time.Second

// New reads the files that the way names. It does not connect.
func New(c brokers.Config) (*Link, error) {
	if len(c.Addrs) == 0 {
		return nil, errors.New("kafka: no brokers are given")
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

// Brokers gives the addresses to begin with.
func (l *Link) Brokers() []string { return l.config.Addrs }

// Dialer gives what a group reader connects with.
func (l *Link) Dialer(id string) *kafka.Dialer {
	return &kafka.Dialer{ClientID: id, Timeout: dialTimeout, DualStack: true, TLS: l.tls, SASLMechanism: l.mechanism}
}

// Client gives what single requests are sent with. It asks for our topics by name: only so does a broker tell one to which there is no
// right from one that is not there.
func (l *Link) Client(id string) *kafka.Client { return l.client(id, ourTopics()) }

func (l *Link) client(id string, topics []string) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(l.config.Addrs...), Timeout: 30 * time.Second,
		Transport: &kafka.Transport{ClientID: id, DialTimeout: dialTimeout, MetadataTopics: topics, TLS: l.tls, SASL: l.mechanism}}
}
