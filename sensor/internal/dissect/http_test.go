// SPDX-License-Identifier: Apache-2.0

package dissect

import (
	"strings"
	"testing"
)

const okEmpty = "HTTP/1.1 200 OK\r\nServer: App-webs/\r\nContent-Length: 0\r\n\r\n"

func request(line string, fields ...string) string {
	return line + "\r\n" + strings.Join(append(fields, "", ""), "\r\n")
}

var httpCases = map[string]struct {
	turns []turn
	want  []HTTPExchange // the answered ones
}{
	"plain": {
		[]turn{client(request("GET /index.html HTTP/1.1", "Host: cam", "User-Agent: curl/8")), server("HTTP/1.1 200 OK\r\nServer: lighttpd\r\nContent-Type: text/html\r\nContent-Length: 39\r\n\r\n<html><TITLE>Network\n  Camera</TITLE>...")},
		[]HTTPExchange{{Method: "GET", URI: "/index.html", Host: "cam", UserAgent: "curl/8", Version: "1.1", Status: 200, Server: "lighttpd", ContentType: "text/html", Title: "Network Camera"}},
	},
	"challenge is no failure": {
		[]turn{client(request("GET / HTTP/1.1")), server("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"IP Camera(C1234)\", nonce=\"x\"\r\nContent-Length: 0\r\n\r\n")},
		[]HTTPExchange{{Method: "GET", URI: "/", Version: "1.1", Status: 401, Realm: "IP Camera(C1234)"}},
	},
	"default pair": {
		[]turn{client(request("GET /a HTTP/1.0", "authorization: BASIC YWRtaW46MTIzNDU=")), server("HTTP/1.0 200 OK\r\n\r\n")},
		[]HTTPExchange{{Method: "GET", URI: "/a", Version: "1.0", Status: 200, AuthScheme: "basic", AuthUserHint: "in", AuthResult: OutcomeSuccess, DefaultCredentials: true, CleartextCredentials: true}},
	},
	"wrong pair": {
		[]turn{client(request("GET /a HTTP/1.1", "Authorization: Basic YWRtaW46enp6enp6")), server("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")},
		[]HTTPExchange{{Method: "GET", URI: "/a", Version: "1.1", Status: 401, AuthScheme: "basic", AuthUserHint: "in", AuthResult: OutcomeFailure, CleartextCredentials: true}},
	},
	"digest, nonce too old, then right": {
		[]turn{
			client(request("GET /a HTTP/1.1", `Authorization: Digest username="ops", realm="x", response="0"`)), server("HTTP/1.1 401 No\r\nWWW-Authenticate: Digest stale=TRUE, realm=\"x\"\r\nContent-Length: 0\r\n\r\n"),
			client(request("GET /a HTTP/1.1", `Authorization: Digest username="ops", realm="x", response="1"`)), server(okEmpty),
		},
		[]HTTPExchange{
			{Method: "GET", URI: "/a", Version: "1.1", Status: 401, Realm: "x", AuthScheme: "digest", AuthUserHint: "ps"},
			{Method: "GET", URI: "/a", Version: "1.1", Status: 200, Server: "App-webs/", AuthScheme: "digest", AuthUserHint: "ps", AuthResult: OutcomeSuccess, Index: 1},
		},
	},
	"form": {
		[]turn{client(request("POST /login HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 29") + "username=admin&password=12345"), server("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")},
		[]HTTPExchange{{Method: "POST", URI: "/login", Version: "1.1", Status: 403, AuthScheme: "form", AuthUserHint: "in", AuthResult: OutcomeFailure, DefaultCredentials: true, CleartextCredentials: true}},
	},
	"json form": {
		[]turn{client(request("POST /api HTTP/1.1", "Content-Type: application/json", "Content-Length: 42") + `{"user": "root", "x":1, "password":"zz\"q"}`[:42]), server(okEmpty)},
		[]HTTPExchange{{Method: "POST", URI: "/api", Version: "1.1", Status: 200, Server: "App-webs/", AuthScheme: "form", AuthUserHint: "ot", CleartextCredentials: true}},
	},
	"chunked bodies and pipelining": {
		[]turn{
			client(request("POST /x HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n" + request("HEAD /y HTTP/1.1")),
			server("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwxyz\r\n0\r\nT: 1\r\n\r\nHTTP/1.1 204 OK\r\nContent-Length: 77\r\n\r\n"),
		},
		[]HTTPExchange{{Method: "POST", URI: "/x", Version: "1.1", Status: 200}, {Method: "HEAD", URI: "/y", Version: "1.1", Status: 204, Index: 1}},
	},
	"SOAP": {
		[]turn{client(request("POST /onvif/ptz HTTP/1.1", "Content-Type: application/soap+xml; charset=utf-8", "Content-Length: 133") + `<s:Envelope><s:Header><UsernameToken><Password Type="a#PasswordText"></UsernameToken></s:Header><s:Body a="b"><t:ContinuousMove x="1"/`), server(okEmpty)},
		[]HTTPExchange{{Method: "POST", URI: "/onvif/ptz", Version: "1.1", Status: 200, Server: "App-webs/", AuthScheme: "wsse", AuthResult: OutcomeSuccess, CleartextCredentials: true, SOAPAction: "ContinuousMove"}},
	},
	"SOAP 1.2 action": {
		[]turn{client(request("POST /o HTTP/1.1", `Content-Type: application/soap+xml; action="http://x/GetUsers"`)), server(okEmpty)},
		[]HTTPExchange{{Method: "POST", URI: "/o", Version: "1.1", Status: 200, Server: "App-webs/", SOAPAction: "http://x/GetUsers"}},
	},
	"response first": {
		[]turn{server("HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno"), client(request("GET / HTTP/1.1"))},
		[]HTTPExchange{{Method: "GET", URI: "/", Version: "1.1", Status: 400}},
	},
	"HTTP/2": {
		[]turn{client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"), server("\x00\x00\x00\x04\x00\x00\x00\x00\x00")}, nil,
	},
	"upgrade": {
		[]turn{client(request("GET /ws HTTP/1.1", "Upgrade: websocket")), server("HTTP/1.1 101 Switching\r\n\r\n\x81\x05hello"), client("\x81\x85abcdabcde")},
		[]HTTPExchange{{Method: "GET", URI: "/ws", Version: "1.1", Status: 101}},
	},
	"response only": {
		[]turn{server("HTTP/1.1 400 Bad\r\n\r\n")},
		[]HTTPExchange{{Version: "1.1", Status: 400}},
	},
}

func TestHTTPExchanges(t *testing.T) {
	for name, tc := range httpCases {
		t.Run(name, func(t *testing.T) {
			facts := sameHoweverCut(t, Ports{40000, 80}, tc.turns)
			if appOf(facts) != "http" {
				t.Errorf("app %q", appOf(facts))
			}
			var got []HTTPExchange
			for _, e := range factsOf[HTTPExchange](facts) {
				if e.Status != 0 {
					got = append(got, e)
				}
			}
			if len(got) != len(tc.want) {
				t.Fatalf("got %d exchanges:\n%s", len(got), dump(facts))
			}
			for i := range got {
				if got[i] != tc.want[i] {
					t.Errorf("got  %+v\nwant %+v", got[i], tc.want[i])
				}
			}
		})
	}
}

// TestHTTPLetsGo checks that the bytes of a long body are not asked for.
func TestHTTPLetsGo(t *testing.T) {
	for name, response := range map[string]string{
		"length":       "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\nabc",
		"chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc",
		"bad chunk":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
		"to the end":   "HTTP/1.1 200 OK\r\n\r\nabc",
		"no more HTTP": "HTTP/1.1 204 OK\r\n\r\n\x00\x01\x02\n",
	} {
		var c Conversation
		c.Reset(Ports{1, 80}, nil)
		answered := false
		sink := func(f Fact) {
			e, ok := f.(*HTTPExchange)
			answered = answered || ok && e.Status != 0
		}
		c.Stream(FromClient, []byte(request("GET / HTTP/1.1")), false, sink)
		if want := c.Stream(FromServer, []byte(response), false, sink); want != 0 || !answered {
			t.Errorf("%s: wants %d, answered %v", name, want, answered)
		}
	}
}
