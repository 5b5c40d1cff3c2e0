// SPDX-License-Identifier: Apache-2.0

// Package brokers configures the connection of both programs to Kafka (TLS and SASL) and explains its errors.
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

// Config holds the addresses of the brokers and the security settings. Without TLS and SASL the connection is plaintext.
type Config struct {
	Addrs []string // host:port of the bootstrap brokers
	TLS   *TLS
	SASL  *SASL
}

// String returns the addresses as error messages show them.
func (c Config) String() string { return "kafka " + strings.Join(c.Addrs, ",") }

// TLS names PEM files. Without CA, the system's certificate authorities are trusted.
type TLS struct{ CA, Cert, Key, ServerName string }

// Config reads the files and returns the TLS configuration; a nil TLS returns nil.
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
			return nil, fmt.Errorf("ca: %s: the file has no PEM certificate", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, errors.New("a client certificate needs both cert and key")
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

// SASL holds the credentials of a client. Mechanism is one of Mechanisms, in any case.
type SASL struct{ Mechanism, User, Password string }

// mechanisms is the only list of the supported SASL mechanisms. Both configurations check against it.
var mechanisms = []struct {
	name string
	of   func(user, password string) (sasl.Mechanism, error)
}{
	{"PLAIN", func(user, password string) (sasl.Mechanism, error) {
		return plain.Mechanism{Username: user, Password: password}, nil
	}},
	{"SCRAM-SHA-256", func(user, password string) (sasl.Mechanism, error) {
		return scram.Mechanism(scram.SHA256, user, password)
	}},
	{"SCRAM-SHA-512", func(user, password string) (sasl.Mechanism, error) {
		return scram.Mechanism(scram.SHA512, user, password)
	}},
}

// DefaultMechanism is the strongest mechanism.
const DefaultMechanism = "SCRAM-SHA-512"

// Mechanisms returns the names of the supported SASL mechanisms.
func Mechanisms() []string {
	names := make([]string, len(mechanisms))
	for i, m := range mechanisms {
		names[i] = m.name
	}
	return names
}

// Client returns the client side of the mechanism; a nil SASL returns nil.
func (s *SASL) Client() (sasl.Mechanism, error) {
	if s == nil {
		return nil, nil
	}
	for _, m := range mechanisms {
		if strings.EqualFold(m.name, s.Mechanism) {
			return m.of(s.User, s.Password)
		}
	}
	return nil, fmt.Errorf("unknown SASL mechanism %.40q: use one of %s", s.Mechanism, strings.Join(Mechanisms(), ", "))
}

func (s *SASL) name() string {
	if s == nil {
		return "SASL"
	}
	return s.Mechanism
}
