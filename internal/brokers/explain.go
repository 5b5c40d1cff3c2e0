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

// Cause names what went wrong; it is a label of metrics.
type Cause string

// The causes that lie on the way to the brokers.
const (
	Unreachable  Cause = "unreachable"
	Protocol     Cause = "protocol"
	Authority    Cause = "tls_authority"
	ClientCert   Cause = "tls_client"
	Authenticate Cause = "authentication"
	Timeout      Cause = "timeout"
)

// Client says who asks, as the brokers know them.
func (w Way) Client() string {
	switch {
	case w.SASL != nil:
		return fmt.Sprintf("user %q", w.SASL.User)
	case w.TLS != nil && w.TLS.Cert != "":
		return "the client certificate " + w.TLS.Cert
	}
	return "a client that has not signed in"
}

// Explain says in one line what an error of the connection or of signing in means, and what to do; "" if err is none.
func (w Way) Explain(err error) (Cause, string) {
	for _, try := range []func(error) (Cause, string){w.explainSignIn, w.explainTLS, w.explainConnection} {
		if cause, text := try(err); text != "" {
			return cause, fmt.Sprintf("%s: %s", w, text)
		}
	}
	return "", ""
}

func (w Way) explainSignIn(err error) (Cause, string) {
	said := strings.ToLower(err.Error())
	switch {
	case errors.Is(err, kafka.UnsupportedSASLMechanism), errors.Is(err, kafka.IllegalSASLState):
		return Authenticate, fmt.Sprintf("this listener does not take %s; see sasl.enabled.mechanisms of the brokers, or use another port", w.SASL.name())
	case errors.Is(err, kafka.SASLAuthenticationFailed), strings.Contains(said, "sasl handshake failed"), strings.Contains(said, "sasl authentication failed"):
		return Authenticate, fmt.Sprintf("%s is refused by %s; check name and password", w.Client(), w.SASL.name())
	}
	return "", ""
}

func (w Way) explainTLS(err error) (Cause, string) {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	said := err.Error()
	switch {
	case errors.As(err, &authority):
		return Authority, fmt.Sprintf("the certificate of the broker is not signed by %s", w.TLS.authority())
	case errors.As(err, &host), errors.As(err, &verify):
		return Authority, fmt.Sprintf("the certificate of the broker is not good: %v", err)
	case strings.Contains(said, "tls: certificate required"), strings.Contains(said, "tls: bad certificate"), strings.Contains(said, "tls: unknown certificate"):
		return ClientCert, fmt.Sprintf("the broker wants a client certificate that it trusts (%v)", err)
	case errors.As(err, &record), strings.Contains(said, "first record does not look like a TLS handshake"):
		return Protocol, "this port does not speak TLS; leave tls out, or use the port of the TLS listener"
	}
	return "", ""
}

func (t *TLS) authority() string {
	if t == nil || t.CA == "" {
		return "an authority that this machine trusts; name the right one as ca under tls"
	}
	return "the authority of " + t.CA
}

// explainConnection is about errors below the protocol.
func (w Way) explainConnection(err error) (Cause, string) {
	var lookup *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &lookup):
		return Unreachable, fmt.Sprintf("the name %s is not known", lookup.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return Unreachable, "nobody listens there; is the port right, and does the broker run?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return w.explainHangUp()
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return Timeout, "no answer in time; is this port one of Kafka, with or without TLS as configured?"
	case errors.As(err, &op):
		return Unreachable, err.Error()
	}
	return "", ""
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// explainHangUp is for a broker that ends the connection without a word: that is how Kafka refuses much.
func (w Way) explainHangUp() (Cause, string) {
	switch {
	case w.SASL != nil:
		return Authenticate, fmt.Sprintf("the broker hangs up while %s signs in by %s: the password is wrong, or this port takes another way to sign in", w.Client(), w.SASL.Mechanism)
	case w.TLS == nil:
		return Protocol, "whoever listens there hangs up: not a broker, a broker that is going down, or one that wants TLS or SASL on this port"
	}
	return Protocol, "the broker hangs up: it is going down, it wants SASL on this port, or the port does not speak TLS"
}
