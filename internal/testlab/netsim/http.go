// SPDX-License-Identifier: Apache-2.0

package netsim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Request is an HTTP/1.1 request. Header holds further lines without line ends, in order.
type Request struct {
	Method, URI, Host, Agent string
	Auth                     Auth
	Header                   []string
	Body                     string
}

// Response is its answer. Server names the product; ContentType is text/html if empty.
type Response struct {
	Status              int
	Server, ContentType string
	Header              []string
	Body                string
}

// HTTP adds a request and its response on an open connection.
func (c *Conn) HTTP(q Request, r Response) *Conn {
	c.Send([]byte(q.text(c.ends[Server].host.IP.String())))
	c.now = c.now.Add(c.net.Between(2*time.Millisecond, 9*time.Millisecond))
	return c.Reply([]byte(r.text()))
}

// HTTPDigest adds the request without credentials, the response 401, the request with digest credentials, and the response r.
func (c *Conn) HTTPDigest(q Request, realm, user, password string, r Response) *Conn {
	nonce := c.net.Nonce()
	c.HTTP(q, Unauthorized("Digest", realm, nonce, r.Server))
	q.Auth = Digest(user, password, realm, nonce)
	return c.HTTP(q, r)
}

// Unauthorized is a 401 with a challenge; scheme is Basic or Digest.
func Unauthorized(scheme, realm, nonce, server string) Response {
	ch := fmt.Sprintf(`WWW-Authenticate: %s realm="%s"`, scheme, realm)
	if scheme == "Digest" {
		ch += fmt.Sprintf(`, nonce="%s"`, nonce)
	}
	return Response{Status: 401, Server: server, Header: []string{ch}}
}

func (q Request) text(host string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", q.Method, q.URI)
	if q.Host != "" {
		host = q.Host
	}
	fmt.Fprintf(&b, "Host: %s\r\n", host)
	if q.Agent != "" {
		fmt.Fprintf(&b, "User-Agent: %s\r\n", q.Agent)
	}
	if q.Auth != nil {
		fmt.Fprintf(&b, "Authorization: %s\r\n", q.Auth(q.Method, q.URI))
	}
	for _, h := range q.Header {
		b.WriteString(h + "\r\n")
	}
	if q.Body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(q.Body))
	}
	return b.String() + "\r\n" + q.Body
}

func (r Response) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.Status, http.StatusText(r.Status))
	if r.Server != "" {
		fmt.Fprintf(&b, "Server: %s\r\n", r.Server)
	}
	for _, h := range r.Header {
		b.WriteString(h + "\r\n")
	}
	if r.Body != "" {
		ct := r.ContentType
		if ct == "" {
			ct = "text/html"
		}
		fmt.Fprintf(&b, "Content-Type: %s\r\n", ct)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	return b.String() + "\r\n" + r.Body
}
