// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/internal/brokers"
)

// KafkaConfig configures the connection to the brokers.
type KafkaConfig struct {
	Brokers  []string // host:port of some brokers; the others are discovered
	ClientID string   // default "stillwatch-sensor"
	TLS      *brokers.TLS
	SASL     *brokers.SASL
	Timeout  time.Duration // of a request, default 15 s
	MaxBytes int           // of the values of one request before compression, default 900 kB
}

func (c KafkaConfig) withDefaults() KafkaConfig {
	if c.ClientID == "" {
		c.ClientID = "stillwatch-sensor"
	}
	if c.Timeout <= 0 {
		c.Timeout = 15 * time.Second
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 900 << 10
	}
	return c
}

// dialTimeout bounds a connection attempt, including TLS and SASL.
const dialTimeout = 5 * time.Second

// transport returns a transport for the topics; it does not dial yet. The error is about files or the SASL mechanism.
func (c KafkaConfig) transport(topics []string) (*kafka.Transport, error) {
	tlsConfig, err := c.TLS.Config()
	if err != nil {
		return nil, err
	}
	mechanism, err := c.SASL.Client()
	if err != nil {
		return nil, err
	}
	return &kafka.Transport{DialTimeout: dialTimeout, MetadataTTL: 5 * time.Second, MetadataTopics: topics, ClientID: c.ClientID,
		TLS: tlsConfig, SASL: mechanism}, nil
}

// Dialer returns a dialer for reading; it does not dial yet. The error is about files or the SASL mechanism.
func (c KafkaConfig) Dialer() (*kafka.Dialer, error) {
	t, err := c.withDefaults().transport(nil)
	if err != nil {
		return nil, err
	}
	return &kafka.Dialer{ClientID: t.ClientID, Timeout: dialTimeout, DualStack: true, TLS: t.TLS, SASLMechanism: t.SASL}, nil
}

func (c KafkaConfig) connection() brokers.Config {
	return brokers.Config{Addrs: c.Brokers, TLS: c.TLS, SASL: c.SASL}
}
