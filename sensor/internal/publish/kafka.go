// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// KafkaConfig says how the brokers are reached.
type KafkaConfig struct {
	Brokers  []string // host:port; those that are named suffice to find the others
	ClientID string   // default "stillwatch-sensor"
	TLS      *TLSConfig
	SASL     *SASLConfig
	Timeout  time.Duration // of one request, default 15 s
	MaxBytes int           // of the values of one request before compression, default 900 kB
}

// TLSConfig names PEM files. Without CA, the authorities of the system are believed.
type TLSConfig struct{ CA, Cert, Key, ServerName string }

// SASLConfig signs in. Mechanism is one of SASLMechanisms.
type SASLConfig struct{ Mechanism, User, Password string }

// SASLMechanisms lists the ways to sign in.
func SASLMechanisms() []string { return []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} }

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

// dialTimeout is how long a connection may take, TLS and signing in included.
const dialTimeout = 5 * time.Second

// transport prepares connections for the topics; nothing is dialled yet. An error is about files or the mechanism.
func (c KafkaConfig) transport(topics []string) (*kafka.Transport, error) {
	tlsConfig, err := c.TLS.load()
	if err != nil {
		return nil, err
	}
	mechanism, err := c.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	return &kafka.Transport{DialTimeout: dialTimeout, MetadataTTL: 5 * time.Second, MetadataTopics: topics, ClientID: c.ClientID,
		TLS: tlsConfig, SASL: mechanism}, nil
}

func (t *TLSConfig) load() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in the form PEM is in it", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("a client certificate and its key belong together: one of them is missing")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("client certificate %s with key %s: %w", t.Cert, t.Key, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}

func (s *SASLConfig) mechanism() (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil
	}
	switch s.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	}
	return nil, fmt.Errorf("SASL mechanism %q: there are %s", s.Mechanism, strings.Join(SASLMechanisms(), ", "))
}
