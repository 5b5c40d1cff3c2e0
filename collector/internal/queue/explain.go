// SPDX-License-Identifier: Apache-2.0

package queue

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

	"github.com/segmentio/kafka-go"
)

// ConnectionError says what an error of the brokers means for whoever has set them up, in one line.
type ConnectionError struct {
	text string
	err  error
}

func (e *ConnectionError) Error() string { return e.text }

// Unwrap gives the error of the connection or of the broker.
func (e *ConnectionError) Unwrap() error { return e.err }

// Explain gives err as one line that names the brokers and what to do; nil for nil.
func (l *Link) Explain(err error) error {
	var known *ConnectionError
	if err == nil || errors.As(err, &known) {
		return err
	}
	text := l.explainCode(err)
	if text == "" {
		text = l.explainTLS(err)
	}
	if text == "" {
		text = l.explainConnection(err)
	}
	if text == "" {
		text = strings.Join(strings.Fields(err.Error()), " ")
	}
	return &ConnectionError{text: "kafka " + strings.Join(l.brokers, ",") + ": " + text, err: err}
}

func (l *Link) who() string {
	switch {
	case l.mechanism != nil:
		return fmt.Sprintf("user %q", l.user)
	case l.tls != nil && len(l.tls.Certificates) > 0:
		return "the client certificate"
	}
	return "a client that has not signed in"
}

func (l *Link) way() string {
	if l.mechanism == nil {
		return "SASL"
	}
	return l.mechanism.Name()
}

// explainCode is about what a broker answers; "" means that it answered nothing of the kind.
func (l *Link) explainCode(err error) string {
	var code kafka.Error
	if !errors.As(err, &code) {
		return ""
	}
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.UnknownTopicID:
		return fmt.Sprintf("%v: a topic is missing; make it with 'stillwatch-collector topics init'", err)
	case kafka.TopicAuthorizationFailed:
		return fmt.Sprintf("%v: %s has no right to this topic; grant it READ and DESCRIBE, and WRITE to %s", err, l.who(), DeadLetterTopic)
	case kafka.GroupAuthorizationFailed:
		return fmt.Sprintf("%v: %s has no right to the consumer group; grant it READ", err, l.who())
	case kafka.ClusterAuthorizationFailed:
		return fmt.Sprintf("%v: %s has no right to the cluster; making topics needs CREATE", err, l.who())
	case kafka.SASLAuthenticationFailed:
		return fmt.Sprintf("%s is refused by %s; check name and password", l.who(), l.way())
	case kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState:
		return fmt.Sprintf("this listener does not take %s; see sasl.enabled.mechanisms of the brokers, or use another port", l.way())
	}
	return ""
}

func (l *Link) explainTLS(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	said := err.Error()
	switch {
	case errors.As(err, &authority):
		return "the certificate of the broker is not signed by an authority that is trusted here; name the right one as kafka.tls.ca"
	case errors.As(err, &host), errors.As(err, &verify):
		return fmt.Sprintf("the certificate of the broker is not good: %v", err)
	case strings.Contains(said, "tls: certificate required"), strings.Contains(said, "tls: bad certificate"), strings.Contains(said, "tls: unknown certificate"):
		return fmt.Sprintf("the broker wants a client certificate that it trusts (%v)", err)
	case errors.As(err, &record), strings.Contains(said, "first record does not look like a TLS handshake"):
		return "this port does not speak TLS; leave kafka.tls out, or use the port of the TLS listener"
	}
	return ""
}

// explainConnection is about errors below the protocol.
func (l *Link) explainConnection(err error) string {
	var lookup *net.DNSError
	var n net.Error
	said := strings.ToLower(err.Error())
	switch {
	case strings.Contains(said, "sasl handshake failed"), strings.Contains(said, "sasl authentication failed"):
		return fmt.Sprintf("%s is refused by %s; check name and password", l.who(), l.way())
	case errors.As(err, &lookup):
		return fmt.Sprintf("the name %s is not known", lookup.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: nobody listens there; is the port right, and does the broker run?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return l.explainHangUp()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &n) && n.Timeout():
		return "no answer in time; is this port one of Kafka, with or without TLS as configured?"
	}
	return ""
}

// explainHangUp is for a broker that ends the connection without a word: that is how Kafka refuses much.
func (l *Link) explainHangUp() string {
	switch {
	case l.mechanism != nil:
		return fmt.Sprintf("the broker hangs up while %s signs in by %s: the password is wrong, or this port takes another way to sign in", l.who(), l.way())
	case l.tls == nil:
		return "whoever listens there hangs up: not a broker, a broker that is going down, or one that wants TLS or SASL on this port"
	}
	return "the broker hangs up: it is going down, it wants SASL on this port, or the port does not speak TLS"
}
