// SPDX-License-Identifier: Apache-2.0

package dissecttest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// HTTPS records two requests with Basic credentials and their answers between a real client and server, whose settings change may edit. It
// returns what both sent, and the key log of the client.
func HTTPS(t testing.TB, change func(*tls.Config)) (turns []Turn, keyLog string) {
	t.Helper()
	var log bytes.Buffer
	client := &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &log, ServerName: "cam7.example"}
	server := &tls.Config{Certificates: []tls.Certificate{Certificate(t, "")}}
	change(client)
	change(server)
	a, b, tap := TapLoopback(t)
	done := make(chan error, 1)
	go func() { done <- answerHTTP(tls.Server(b, server)) }()
	c := tls.Client(a, client)
	for _, path := range []string{"/ISAPI/System/deviceInfo", "/second"} {
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: cam7.example\r\nAuthorization: Basic YWRtaW46MTIzNDU=\r\nUser-Agent: curl/8.1\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
	}
	_ = c.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return tap.Turns, log.String()
}

// answerHTTP answers requests until the client closes the connection, and closes it.
func answerHTTP(s *tls.Conn) error {
	defer func() { _ = s.Close() }()
	for r := bufio.NewReader(s); ; {
		request, err := http.ReadRequest(r)
		if err != nil {
			return nil // the client has closed the connection
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return err
		}
		if _, err := io.WriteString(s, "HTTP/1.1 200 OK\r\nServer: App-webs/\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return err
		}
	}
}
