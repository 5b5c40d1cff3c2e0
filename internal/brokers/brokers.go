// SPDX-License-Identifier: Apache-2.0

// Package brokers is how both programs reach Kafka: TLS, signing in, and what it means when that fails.
package brokers

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Way is where the brokers are and how they are spoken to. Without TLS and SASL it is plain.
type Way struct {
	Addrs []string // host:port; those that are named suffice to find the others
	TLS   *TLS
	SASL  *SASL
}

// String gives the addresses, as messages name them.
func (w Way) String() string { return "kafka " + strings.Join(w.Addrs, ",") }

// TLS names PEM files. Without CA, the authorities of the system are believed.
type TLS struct{ CA, Cert, Key, ServerName string }

// Config reads the files; nil for nil.
func (t *TLS) Config() (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s: no certificate in the form PEM is in it", t.CA)
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

// SASL signs in. Mechanism is one of Mechanisms.
type SASL struct{ Mechanism, User, Password string }

// Mechanisms lists the ways to sign in.
func Mechanisms() []string { return []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} }

// Sign gives the mechanism; nil for nil.
func (s *SASL) Sign() (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil
	}
	switch strings.ToUpper(s.Mechanism) {
	case "PLAIN":
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	}
	return nil, fmt.Errorf("SASL mechanism %.40q: there are %s", s.Mechanism, strings.Join(Mechanisms(), ", "))
}

func (s *SASL) name() string {
	if s == nil {
		return "SASL"
	}
	return s.Mechanism
}
