// SPDX-License-Identifier: Apache-2.0

package brokers

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

// Cause classifies an error. It is a label value of metrics.
type Cause string

// The causes of failed connections.
const (
	Unreachable  Cause = "unreachable"
	Protocol     Cause = "protocol"
	Authority    Cause = "tls_authority"
	ClientCert   Cause = "tls_client"
	Authenticate Cause = "authentication"
	Timeout      Cause = "timeout"
)

// Principal describes the client as the brokers identify it, for error messages.
func (c Config) Principal() string {
	switch {
	case c.SASL != nil:
		return fmt.Sprintf("user %q", c.SASL.User)
	case c.TLS != nil && c.TLS.Cert != "":
		return "the client certificate " + c.TLS.Cert
	}
	return "an unauthenticated client"
}

// Explain returns the cause of a connection or authentication error and one line that says what to do about it. The text is
// empty if err is another error.
func (c Config) Explain(err error) (Cause, string) {
	for _, try := range []func(error) (Cause, string){c.explainSignIn, c.explainTLS, c.explainConnection} {
		if cause, text := try(err); text != "" {
			return cause, fmt.Sprintf("%s: %s", c, text)
		}
	}
	return "", ""
}

func (c Config) explainSignIn(err error) (Cause, string) {
	text := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, kafka.UnsupportedSASLMechanism), errors.Is(err, kafka.IllegalSASLState):
		return Authenticate, fmt.Sprintf("this listener does not accept %s; see sasl.enabled.mechanisms of the brokers, or use another port", c.SASL.name())
	case errors.Is(err, kafka.SASLAuthenticationFailed), strings.Contains(text, "sasl handshake failed"), strings.Contains(text, "sasl authentication failed"):
		return Authenticate, fmt.Sprintf("%s authentication of %s failed; check the user name and password", c.SASL.name(), c.Principal())
	}
	return "", ""
}

func (c Config) explainTLS(err error) (Cause, string) {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	text := err.Error()
	switch {
	case errors.As(err, &authority):
		return Authority, fmt.Sprintf("the certificate of the broker is not signed by %s", c.TLS.authority())
	case errors.As(err, &host), errors.As(err, &verify):
		return Authority, fmt.Sprintf("the certificate of the broker is not valid: %v", err)
	case strings.Contains(text, "tls: certificate required"), strings.Contains(text, "tls: bad certificate"), strings.Contains(text, "tls: unknown certificate"):
		return ClientCert, fmt.Sprintf("the broker requires a client certificate that it trusts (%v)", err)
	case errors.As(err, &record), strings.Contains(text, "first record does not look like a TLS handshake"):
		return Protocol, "this port does not speak TLS; leave tls out, or use the port of the TLS listener"
	}
	return "", ""
}

func (t *TLS) authority() string {
	if t == nil || t.CA == "" {
		return "an authority that this system trusts; set ca under tls to the right one"
	}
	return "the authority of " + t.CA
}

// explainConnection explains errors below the Kafka protocol.
func (c Config) explainConnection(err error) (Cause, string) {
	var lookup *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &lookup):
		return Unreachable, fmt.Sprintf("host %s not found", lookup.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Unreachable, "connection refused; check the port and that the broker is running"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return c.explainClosed()
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return Timeout, "no answer in time; check that this is a Kafka port and whether it uses TLS"
	case errors.As(err, &op):
		return Unreachable, err.Error()
	}
	return "", ""
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// explainClosed explains a connection that the broker closed without an answer, which is how Kafka rejects many clients.
func (c Config) explainClosed() (Cause, string) {
	switch {
	case c.SASL != nil:
		return Authenticate, fmt.Sprintf("the broker closed the connection during %s authentication of %s: the password is wrong, or this port requires another mechanism", c.SASL.Mechanism, c.Principal())
	case c.TLS == nil:
		return Protocol, "the server closed the connection: it is not a broker, it is shutting down, or it requires TLS or SASL on this port"
	}
	return Protocol, "the broker closed the connection: it is shutting down, it requires SASL on this port, or the port does not speak TLS"
}
