// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"stillwatch/collector/internal/auth"
)

// withShortTimeouts runs a collector with a read timeout of 300 ms and a write timeout of 600 ms.
func withShortTimeouts(t *testing.T) *Server {
	t.Helper()
	s, err := New(context.Background(), settingsOf(t), "test", zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if s.limits.read > 30*time.Second || s.limits.read == 0 || s.limits.write == 0 {
		t.Errorf("limits %+v", s.limits)
	}
	s.limits = limits{read: 300 * time.Millisecond, write: 600 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestSlowRequestsTimeOut checks that connections with incomplete requests are closed.
func TestSlowRequestsTimeOut(t *testing.T) {
	s := withShortTimeouts(t)
	addr := strings.TrimPrefix(s.URL(), "http://")
	var open []net.Conn
	for range 50 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /signin HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nname=", addr)
		open = append(open, c)
	}
	for i, c := range open {
		if err := c.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Fatalf("connection %d is still open: %v", i, err)
		}
	}
}

// TestEventStreamHasNoTimeout checks that the request timeouts do not end event streams.
func TestEventStreamHasNoTimeout(t *testing.T) {
	s := withShortTimeouts(t)
	const password = "correct horse battery"
	if _, err := s.Auth().AddUser(t.Context(), "test", "ann", password, auth.Viewer); err != nil {
		t.Fatal(err)
	}
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	g, err := s.Auth().SignIn(t.Context(), "ann", password, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.JoinPath(s.URL(), "/api/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(g.Cookie)
	res, err := stay.Do(req)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", res, err)
	}
	defer res.Body.Close()
	ended := make(chan error, 1)
	go func() {
		r := bufio.NewReader(res.Body)
		for {
			if _, err := r.ReadString('\n'); err != nil {
				ended <- err
				return
			}
		}
	}()
	select {
	case err := <-ended:
		t.Errorf("the stream ended: %v", err)
	case <-time.After(1500 * time.Millisecond):
	}
}

func TestConnectionLimit(t *testing.T) {
	l, err := listen("127.0.0.1:0", 2)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := make(chan net.Conn, 3)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken <- c
		}
	}()
	for range 3 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-taken
	<-taken
	select {
	case <-taken:
		t.Fatal("a third concurrent connection")
	case <-time.After(100 * time.Millisecond):
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	<-taken
}
