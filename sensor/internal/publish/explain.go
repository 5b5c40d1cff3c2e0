// SPDX-License-Identifier: Apache-2.0

package publish

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
)

// Cause names why records could not be delivered; it is a label of the metrics.
type Cause string

// The causes.
const (
	CauseUnreachable   Cause = "unreachable"
	CauseProtocol      Cause = "protocol"
	CauseAuthority     Cause = "tls_authority"
	CauseClientCert    Cause = "tls_client"
	CauseAuthenticate  Cause = "authentication"
	CauseAuthorization Cause = "authorization"
	CauseNoTopic       Cause = "no_topic"
	CauseTooLarge      Cause = "too_large"
	CauseReplicas      Cause = "not_enough_replicas"
	CauseLeader        Cause = "leader"
	CauseClock         Cause = "clock"
	CauseTimeout       Cause = "timeout"
	CauseOther         Cause = "other"
)

// label is what counts stand under: a record that is refused for its time arrives without one, so it is no cause of its own there.
func (c Cause) label() Cause {
	if c == CauseClock {
		return CauseOther
	}
	return c
}

// Causes lists those that are counted.
func Causes() []Cause {
	return []Cause{CauseUnreachable, CauseProtocol, CauseAuthority, CauseClientCert, CauseAuthenticate, CauseAuthorization, CauseNoTopic,
		CauseTooLarge, CauseReplicas, CauseLeader, CauseTimeout, CauseOther}
}

// DeliveryError says why records could not be delivered and what to do about it, in one line.
type DeliveryError struct {
	Cause Cause
	Topic string
	Text  string
	Err   error
}

func (e *DeliveryError) Error() string { return e.Text }

// Unwrap gives the error of the connection or of the broker.
func (e *DeliveryError) Unwrap() error { return e.Err }

// explain finds out what an error of the brokers means for whoever has set them up.
func (c KafkaConfig) explain(topic string, err error) *DeliveryError {
	var known *DeliveryError
	if errors.As(err, &known) {
		return known
	}
	var code kafka.Error
	cause, text := CauseOther, fmt.Sprintf("%s: %v", c.who(), err)
	if errors.As(err, &code) {
		cause, text = c.explainCode(topic, code, text)
	} else if x, s := c.explainConnection(err); x != "" {
		cause, text = x, s
	}
	return &DeliveryError{Cause: cause, Topic: topic, Text: text, Err: err}
}

func (c KafkaConfig) who() string { return "kafka " + strings.Join(c.Brokers, ",") }

func (c KafkaConfig) user() string {
	switch {
	case c.SASL != nil:
		return fmt.Sprintf("user %q", c.SASL.User)
	case c.TLS != nil && c.TLS.Cert != "":
		return "the client certificate " + c.TLS.Cert
	}
	return "a client that has not signed in"
}

func (c KafkaConfig) explainCode(topic string, code kafka.Error, text string) (Cause, string) {
	who := c.who()
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.UnknownTopicID:
		return CauseNoTopic, fmt.Sprintf("%s: there is no topic %s; create it with 'stillwatch-collector topics init'", who, topic)
	case kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed:
		return CauseAuthorization, fmt.Sprintf("%s: %s has no right to write to topic %s; grant it WRITE and DESCRIBE", who, c.user(), topic)
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return CauseTooLarge, fmt.Sprintf("%s: a record is larger than topic %s takes; raise max.message.bytes of the topic", who, topic)
	case kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend:
		return CauseReplicas, fmt.Sprintf("%s: topic %s has fewer replicas in sync than its min.insync.replicas; see which brokers are down", who, topic)
	case kafka.LeaderNotAvailable, kafka.NotLeaderForPartition, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.FencedLeaderEpoch:
		return CauseLeader, fmt.Sprintf("%s: a partition of topic %s has no leader at present, or another one", who, topic)
	case kafka.InvalidTimestamp:
		return CauseClock, fmt.Sprintf("%s: the time of a record is refused by topic %s: set the clock of this machine (%s); records are sent without a time until then", who, topic, time.Now().UTC().Format(time.RFC3339))
	case kafka.SASLAuthenticationFailed:
		return CauseAuthenticate, fmt.Sprintf("%s: %s is refused by %s; check name and password", who, c.user(), c.SASL.name())
	case kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return CauseAuthenticate, fmt.Sprintf("%s: this listener does not take %s; see sasl.enabled.mechanisms of the brokers, or use another port", who, c.SASL.name())
	case kafka.RequestTimedOut:
		return CauseTimeout, fmt.Sprintf("%s: topic %s: the replicas did not confirm in time", who, topic)
	}
	return CauseOther, text
}

func (s *SASLConfig) name() string {
	if s == nil {
		return "SASL"
	}
	return s.Mechanism
}

// explainConnection is about errors below the protocol; "" means that the error says it itself.
func (c KafkaConfig) explainConnection(err error) (Cause, string) {
	who := c.who()
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var lookup *net.DNSError
	switch {
	case errors.As(err, &authority):
		return CauseAuthority, fmt.Sprintf("%s: the certificate of the broker is not signed by %s", who, c.TLS.authority())
	case errors.As(err, &host), errors.As(err, &verify):
		return CauseAuthority, fmt.Sprintf("%s: the certificate of the broker is not good: %v", who, err)
	case strings.Contains(err.Error(), "tls: certificate required"), strings.Contains(err.Error(), "tls: bad certificate"), strings.Contains(err.Error(), "tls: unknown certificate"):
		return CauseClientCert, fmt.Sprintf("%s: the broker wants a client certificate that it trusts (%v)", who, err)
	case errors.As(err, &record):
		return CauseProtocol, fmt.Sprintf("%s: this port does not speak TLS; leave tls out, or use the port of the TLS listener", who)
	case strings.Contains(err.Error(), "SASL handshake failed"), strings.Contains(strings.ToLower(err.Error()), "sasl authentication failed"):
		return CauseAuthenticate, fmt.Sprintf("%s: %s is refused by %s; check name and password", who, c.user(), c.SASL.name())
	case errors.As(err, &lookup):
		return CauseUnreachable, fmt.Sprintf("%s: the name %s is not known", who, lookup.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return CauseUnreachable, fmt.Sprintf("%s: nobody listens there; is the port right, and does the broker run?", who)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return c.explainHangUp()
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return CauseTimeout, fmt.Sprintf("%s: no answer within %s; is this port one of Kafka, with or without TLS as configured?", who, c.Timeout)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return CauseUnreachable, fmt.Sprintf("%s: %v", who, err)
	}
	return "", ""
}

func (t *TLSConfig) authority() string {
	if t == nil || t.CA == "" {
		return "an authority that this machine trusts; name the right one as ca"
	}
	return "the authority of " + t.CA
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// explainHangUp is for a broker that ends the connection without a word: that is how Kafka refuses much.
func (c KafkaConfig) explainHangUp() (Cause, string) {
	switch {
	case c.SASL != nil:
		return CauseAuthenticate, fmt.Sprintf("%s: the broker hangs up while %s signs in by %s: the password is wrong, or this port takes another way to sign in",
			c.who(), c.user(), c.SASL.Mechanism)
	case c.TLS == nil:
		return CauseProtocol, fmt.Sprintf("%s: whoever listens there hangs up: not a broker, a broker that is going down, or one that wants TLS or SASL on this port", c.who())
	}
	return CauseProtocol, fmt.Sprintf("%s: the broker hangs up: it is going down, it wants SASL on this port, or the port does not speak TLS", c.who())
}
