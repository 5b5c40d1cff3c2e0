// SPDX-License-Identifier: Apache-2.0

package http_test

import (
	"testing"

	"stillwatch/sensor/internal/dissect"
	"stillwatch/sensor/internal/dissect/dispatch"
	"stillwatch/sensor/internal/dissect/dispatchtest"
	"stillwatch/sensor/internal/dissect/dissecttest"
	"stillwatch/sensor/internal/dissect/http"
)

var cases = map[string]struct {
	turns []turn
	want  []dissect.HTTPExchange // the answered ones
}{
	"plain": {
		[]turn{client(request("GET /index.html HTTP/1.1", "Host: cam", "User-Agent: curl/8")), server("HTTP/1.1 200 OK\r\nServer: lighttpd\r\nContent-Type: text/html\r\nContent-Length: 39\r\n\r\n<html><TITLE>Network\n  Camera</TITLE>...")},
		[]dissect.HTTPExchange{{Method: "GET", URI: "/index.html", Host: "cam", UserAgent: "curl/8", Version: "1.1", Status: 200, Server: "lighttpd", ContentType: "text/html", Title: "Network Camera"}},
	},
	"challenge is no failure": {
		[]turn{client(request("GET / HTTP/1.1")), server("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"IP Camera(C1234)\", nonce=\"x\"\r\nContent-Length: 0\r\n\r\n")},
		[]dissect.HTTPExchange{{Method: "GET", URI: "/", Version: "1.1", Status: 401, Realm: "IP Camera(C1234)"}},
	},
	"default pair": {
		[]turn{client(request("GET /a HTTP/1.0", "authorization: BASIC YWRtaW46MTIzNDU=")), server("HTTP/1.0 200 OK\r\n\r\n")},
		[]dissect.HTTPExchange{{Method: "GET", URI: "/a", Version: "1.0", Status: 200, AuthScheme: "basic", AuthUserHint: "in", AuthResult: dissect.OutcomeSuccess, DefaultCredentials: true, CleartextCredentials: true}},
	},
	"wrong pair": {
		[]turn{client(request("GET /a HTTP/1.1", "Authorization: Basic YWRtaW46enp6enp6")), server("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")},
		[]dissect.HTTPExchange{{Method: "GET", URI: "/a", Version: "1.1", Status: 401, AuthScheme: "basic", AuthUserHint: "in", AuthResult: dissect.OutcomeFailure, CleartextCredentials: true}},
	},
	"digest, nonce too old, then right": {
		[]turn{
			client(request("GET /a HTTP/1.1", `Authorization: Digest username="ops", realm="x", response="0"`)), server("HTTP/1.1 401 No\r\nWWW-Authenticate: Digest stale=TRUE, realm=\"x\"\r\nContent-Length: 0\r\n\r\n"),
			client(request("GET /a HTTP/1.1", `Authorization: Digest username="ops", realm="x", response="1"`)), server(dissecttest.EmptyOK),
		},
		[]dissect.HTTPExchange{
			{Method: "GET", URI: "/a", Version: "1.1", Status: 401, Realm: "x", AuthScheme: "digest", AuthUserHint: "ps"},
			{Method: "GET", URI: "/a", Version: "1.1", Status: 200, Server: "App-webs/", AuthScheme: "digest", AuthUserHint: "ps", AuthResult: dissect.OutcomeSuccess, Index: 1},
		},
	},
	"form": {
		[]turn{client(request("POST /login HTTP/1.1", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 29") + "username=admin&password=12345"), server("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")},
		[]dissect.HTTPExchange{{Method: "POST", URI: "/login", Version: "1.1", Status: 403, AuthScheme: "form", AuthUserHint: "in", AuthResult: dissect.OutcomeFailure, DefaultCredentials: true, CleartextCredentials: true}},
	},
	"json form": {
		[]turn{client(request("POST /api HTTP/1.1", "Content-Type: application/json", "Content-Length: 42") + `{"user": "root", "x":1, "password":"zz\"q"}`[:42]), server(dissecttest.EmptyOK)},
		[]dissect.HTTPExchange{{Method: "POST", URI: "/api", Version: "1.1", Status: 200, Server: "App-webs/", AuthScheme: "form", AuthUserHint: "ot", CleartextCredentials: true}},
	},
	"chunked bodies and pipelining": {
		[]turn{
			client(request("POST /x HTTP/1.1", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n" + request("HEAD /y HTTP/1.1")),
			server("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwxyz\r\n0\r\nT: 1\r\n\r\nHTTP/1.1 204 OK\r\nContent-Length: 77\r\n\r\n"),
		},
		[]dissect.HTTPExchange{{Method: "POST", URI: "/x", Version: "1.1", Status: 200}, {Method: "HEAD", URI: "/y", Version: "1.1", Status: 204, Index: 1}},
	},
	"SOAP": {
		[]turn{client(request("POST /onvif/ptz HTTP/1.1", "Content-Type: application/soap+xml; charset=utf-8", "Content-Length: 133") + `<s:Envelope><s:Header><UsernameToken><Password Type="a#PasswordText"></UsernameToken></s:Header><s:Body a="b"><t:ContinuousMove x="1"/`), server(dissecttest.EmptyOK)},
		[]dissect.HTTPExchange{{Method: "POST", URI: "/onvif/ptz", Version: "1.1", Status: 200, Server: "App-webs/", AuthScheme: "wsse", AuthResult: dissect.OutcomeSuccess, CleartextCredentials: true, SOAPAction: "ContinuousMove"}},
	},
	"SOAP 1.2 action": {
		[]turn{client(request("POST /o HTTP/1.1", `Content-Type: application/soap+xml; action="http://x/GetUsers"`)), server(dissecttest.EmptyOK)},
		[]dissect.HTTPExchange{{Method: "POST", URI: "/o", Version: "1.1", Status: 200, Server: "App-webs/", SOAPAction: "http://x/GetUsers"}},
	},
	"response first": {
		[]turn{server("HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno"), client(request("GET / HTTP/1.1"))},
		[]dissect.HTTPExchange{{Method: "GET", URI: "/", Version: "1.1", Status: 400}},
	},
	"HTTP/2": {
		[]turn{client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"), server("\x00\x00\x00\x04\x00\x00\x00\x00\x00")}, nil,
	},
	"upgrade": {
		[]turn{client(request("GET /ws HTTP/1.1", "Upgrade: websocket")), server("HTTP/1.1 101 Switching\r\n\r\n\x81\x05hello"), client("\x81\x85abcdabcde")},
		[]dissect.HTTPExchange{{Method: "GET", URI: "/ws", Version: "1.1", Status: 101}},
	},
	"response only": {
		[]turn{server("HTTP/1.1 400 Bad\r\n\r\n")},
		[]dissect.HTTPExchange{{Version: "1.1", Status: 400}},
	},
}

func TestHTTPExchanges(t *testing.T) {
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			facts := dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, tc.turns)
			if dissecttest.AppOf(facts) != "http" {
				t.Errorf("app %q", dissecttest.AppOf(facts))
			}
			var got []dissect.HTTPExchange
			for _, e := range dissecttest.FactsOf[dissect.HTTPExchange](facts) {
				if e.Status != 0 {
					got = append(got, e)
				}
			}
			if len(got) != len(tc.want) {
				t.Fatalf("got %d exchanges:\n%s", len(got), dissecttest.Dump(facts))
			}
			for i := range got {
				if got[i] != tc.want[i] {
					t.Errorf("got  %+v\nwant %+v", got[i], tc.want[i])
				}
			}
		})
	}
}

// TestHTTPSkipsLongBodies checks that the bytes of a long body are not requested.
func TestHTTPSkipsLongBodies(t *testing.T) {
	for name, response := range map[string]string{
		"length":       "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 900000\r\n\r\nabc",
		"chunk":        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc",
		"bad chunk":    "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
		"to the end":   "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\nabc",
		"program":      "HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"no more HTTP": "HTTP/1.1 204 OK\r\n\r\n\x00\x01\x02\n",
	} {
		var c dispatch.Conversation
		c.Reset(dissect.Ports{Client: 1, Server: 80}, nil)
		answered := false
		sink := func(f dissect.Fact) {
			e, ok := f.(*dissect.HTTPExchange)
			answered = answered || ok && e.Status != 0
		}
		c.Stream(dissect.FromClient, []byte(request("GET / HTTP/1.1")), false, sink)
		if want := c.Stream(dissect.FromServer, []byte(response), false, sink); want != 0 || !answered {
			t.Errorf("%s: wants %d, answered %v", name, want, answered)
		}
	}
}

// TestProgramsAreRecognized checks the kind of a body whose type says little.
func TestProgramsAreRecognized(t *testing.T) {
	const rest = "0123456789abcdefghijklmnop"
	for name, c := range map[string]struct{ header, body, want string }{
		"ELF":              {"Content-Length: 30", "\x7fELF" + rest, "elf"},
		"ELF in chunks":    {"Transfer-Encoding: chunked", "1e\r\n\x7fELF" + rest + "\r\n0\r\n\r\n", "elf"},
		"Windows":          {"Content-Type: application/x-msdownload\r\nContent-Length: 28", "MZ" + rest, "pe"},
		"script":           {"Content-Type: text/plain\r\nContent-Length: 35", "#!/bin/sh" + rest, "script"},
		"short":            {"Content-Length: 2", "MZ", "pe"},
		"text":             {"Content-Type: text/plain\r\nContent-Length: 26", rest, ""},
		"compressed":       {"Content-Encoding: gzip\r\nContent-Length: 30", "\x7fELF" + rest, ""},
		"a type that fits": {"Content-Type: image/jpeg\r\nContent-Length: 30", "\x7fELF" + rest, ""},
	} {
		var c2 dispatch.Conversation
		c2.Reset(dissect.Ports{Client: 1, Server: 80}, nil)
		got := "no answer"
		sink := func(f dissect.Fact) {
			if e, ok := f.(*dissect.HTTPExchange); ok && e.Status != 0 {
				got = e.Program
			}
		}
		c2.Stream(dissect.FromClient, []byte(request("GET / HTTP/1.1")), false, sink)
		c2.Stream(dissect.FromServer, []byte("HTTP/1.1 200 OK\r\n"+c.header+"\r\n\r\n"+c.body), false, sink)
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzHTTP(f *testing.F) {
	var seeds [][]turn
	for _, c := range cases {
		seeds = append(seeds, c.turns)
	}
	seeds = append(seeds, []turn{client(request("CONNECT a:1 HTTP/1.1")), server("HTTP/1.1 200 OK\r\n\r\n"), client(dissecttest.TLSHelloStart)})
	seeds = append(seeds, []turn{client(request("GET /a HTTP/1.0", "x-sessioncookie: a")), server(request("HTTP/1.0 200 OK", "Content-Type: application/x-rtsp-tunnelled") + request("RTSP/1.0 200 OK", "CSeq: 1"))},
		[]turn{client(request("POST /a HTTP/1.0", "x-sessioncookie: a", "Content-Length: 9999") + "T1BUSU9OUyBydHNwOi8vYS8gUlRTUC8xLjANCkNTZXE6IDENCg0K")})
	dissecttest.FuzzStream(f, http.New, seeds...)
}

func TestSimpleHTTP(t *testing.T) {
	for s, want := range map[string]string{
		"GET /index.html\r\n": "http", "GET\r\n": "http", "GET /\n": "http", "GETTING\r\n": "", "GET me\r\n": "", "GET /\x01\r\n": "", "GET": "",
	} {
		if got := dissecttest.AppOf(dispatchtest.PlayCut(t, dissect.Ports{Client: 40000, Server: 80}, []turn{client(s)})); got != want {
			t.Errorf("%q: named %q", s, got)
		}
		if got := dissecttest.AppOf(dispatchtest.Play(t, dissect.Ports{Client: 40000, Server: 4444}, []turn{client(s)}, 0)); got != "" {
			t.Errorf("%q away from its port: named %q", s, got)
		}
	}
}
