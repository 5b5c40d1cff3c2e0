// SPDX-License-Identifier: Apache-2.0

// Package queue is how the collector reaches Kafka, and what it wants of the topics there.
package queue

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

// Settings say where Kafka is and who asks.
type Settings struct {
	Brokers []string
	TLS     TLS
	SASL    SASL
}

// TLS protects the connection when On. CA, Cert and Key are PEM files; without CA the system's own are trusted.
type TLS struct {
	On            bool
	CA, Cert, Key string
	ServerName    string
}

// SASL signs in when Mechanism is set: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
type SASL struct {
	Mechanism, User, Password string
}

// Link holds what is needed to connect.
type Link struct {
	brokers   []string
	tls       *tls.Config
	mechanism sasl.Mechanism
	user      string // of the mechanism
}

// dialTimeout is how long a broker may take to answer a connection.
const dialTimeout = 10 * time.Second

// New reads the files that the settings name. It does not connect.
func New(s Settings) (*Link, error) {
	if len(s.Brokers) == 0 {
		return nil, errors.New("kafka: no brokers are given")
	}
	l := &Link{brokers: s.Brokers, user: s.SASL.User}
	var err error
	if l.tls, err = s.TLS.config(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	if l.mechanism, err = s.SASL.mechanism(); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return l, nil
}

func (t TLS) config() (*tls.Config, error) {
	if !t.On {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no certificate in PEM", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch strings.ToUpper(s.Mechanism) {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	}
	return nil, fmt.Errorf("sasl mechanism %.40q: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are known", s.Mechanism)
}

// Brokers gives the addresses to begin with.
func (l *Link) Brokers() []string { return l.brokers }

// Dialer gives what a group reader connects with.
func (l *Link) Dialer(id string) *kafka.Dialer {
	return &kafka.Dialer{ClientID: id, Timeout: dialTimeout, DualStack: true, TLS: l.tls, SASLMechanism: l.mechanism}
}

// Client gives what single requests are sent with.
func (l *Link) Client(id string) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(l.brokers...), Timeout: 30 * time.Second,
		Transport: &kafka.Transport{ClientID: id, DialTimeout: dialTimeout, TLS: l.tls, SASL: l.mechanism}}
}
