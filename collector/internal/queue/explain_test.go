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
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"stillwatch/internal/brokers"
)

func TestExplain(t *testing.T) {
	plain, err := New(brokers.Config{Addrs: []string{"k:9092"}})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := New(brokers.Config{Addrs: []string{"k:9092"}, SASL: &brokers.SASL{Mechanism: "SCRAM-SHA-512", User: "collector", Password: "p"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		link *Link
		err  error
		want string
	}{
		{signed, io.ErrUnexpectedEOF, `closed the connection during SCRAM-SHA-512 authentication of user "collector": the password is wrong`},
		{signed, kafka.SASLAuthenticationFailed, "check the user name and password"},
		{plain, io.EOF, "requires TLS or SASL"},
		{plain, x509.UnknownAuthorityError{}, "set ca under tls"},
		{plain, tls.RecordHeaderError{Msg: "x"}, "does not speak TLS"},
		{plain, &net.DNSError{Name: "k"}, "host k not found"},
		{plain, kafka.TopicAuthorizationFailed, "is not authorized"},
		{plain, context.DeadlineExceeded, "no answer in time"},
		{plain, errors.New("two\nlines"), "two lines"},
	} {
		got := c.link.Explain(fmt.Errorf("kafka: %w", c.err))
		if s := got.Error(); !errors.Is(got, c.err) || !strings.HasPrefix(s, "kafka k:9092: ") || !strings.Contains(s, c.want) || strings.Contains(s, "\n") {
			t.Errorf("%v: %s", c.err, s)
		}
		if again := c.link.Explain(got); again != got {
			t.Error("explained twice")
		}
	}
	if plain.Explain(nil) != nil {
		t.Error("nil")
	}
}

// TestExplainWrongServers connects to listeners that are not Kafka brokers.
func TestExplainWrongServers(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	for _, c := range []struct {
		addr, want string
		tls        bool
	}{
		{"127.0.0.1:1", "connection refused", false},
		{web.Listener.Addr().String(), "does not speak TLS", true},
		{secure.Listener.Addr().String(), "set ca under tls", true},
	} {
		w := brokers.Config{Addrs: []string{c.addr}}
		if c.tls {
			w.TLS = &brokers.TLS{}
		}
		link, err := New(w)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		_, err = link.Check(ctx, Plan{})
		cancel()
		if s := fmt.Sprint(link.Explain(err)); !strings.Contains(s, c.want) {
			t.Errorf("%s: %s\nwant %s", c.addr, s, c.want)
		}
	}
}
